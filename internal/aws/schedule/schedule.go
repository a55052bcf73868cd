// Package schedule keeps the schedules of EventBridge Scheduler that invoke the installation's crons
// handler: those of the crons of each project's live deployment, and those of warmers.
package schedule

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// Schedules creates and deletes schedules. It is safe for concurrent use.
type Schedules struct {
	Scheduler *scheduler.Client
	Group     string // of the installation
	Handler   string // ARN of the crons handler
	Role      string // ARN of the role with which Scheduler invokes it
}

// Event is what a schedule sends to the crons handler.
type Event struct {
	ProjectID anchor.ProjectID `json:"projectId"`
	Cron      *anchor.Cron     `json:"cron,omitempty"`
	// RunID names a run that somebody asked for, in place of Cron.
	RunID string `json:"runId,omitempty"`
	// Warm says how many instances to keep started, by the functions' names in the build, in place of Cron.
	Warm map[string]int32 `json:"warm,omitempty"`
}

// atOnce bounds the concurrent calls: Scheduler allows 50 creations a second in most regions and 10 in
// some (EventBridge Scheduler quotas).
const atOnce = 4

// lateness is after how many seconds Scheduler drops an event that it could not deliver, the least that
// it accepts. A run that begins later counts as missed.
const lateness = 60

// Follow makes the schedules of a project those of crons: it creates the ones that are missing and
// deletes the others. A schedule's name says all that is in it, so that none is ever updated. found
// reports whether there are or were any.
func (s Schedules) Follow(ctx context.Context, p anchor.Project, crons []anchor.Cron) (found bool, err error) {
	wanted := map[string]*scheduler.CreateScheduleInput{}
	for _, c := range crons {
		inputs, err := s.schedulesOf(p, c)
		if err != nil {
			return false, err
		}
		for _, in := range inputs {
			wanted[*in.Name] = in
		}
	}
	return s.follow(ctx, namePrefix(p.ID), "the crons of "+p.Slug, wanted)
}

// warmEvery is how often a warmer event is sent: OpenNext's documentation recommends it, and Lambda ends
// idle instances some minutes later.
const warmEvery = "rate(5 minutes)"

// FollowWarmer makes the schedule of a project's warmer events that of instances, which says how many to keep
// started, by the functions' names in the build. Without any there is no schedule.
func (s Schedules) FollowWarmer(ctx context.Context, p anchor.Project, instances map[string]int32) error {
	wanted := map[string]*scheduler.CreateScheduleInput{}
	if len(instances) > 0 {
		in, err := s.scheduleOf(warmPrefix(p.ID), "The warmer of "+p.Slug, warmEvery, Event{ProjectID: p.ID, Warm: instances})
		if err != nil {
			return err
		}
		wanted[*in.Name] = in
	}
	_, err := s.follow(ctx, warmPrefix(p.ID), "the warmer of "+p.Slug, wanted)
	return err
}

// follow makes the schedules whose names begin with prefix those that are wanted, by their names.
func (s Schedules) follow(ctx context.Context, prefix, whose string, wanted map[string]*scheduler.CreateScheduleInput) (found bool, err error) {
	there, err := s.list(ctx, prefix)
	if err != nil {
		return false, explain(err, "list the schedules of "+whose)
	}
	found = len(wanted)+len(there) > 0
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if !slices.Contains(there, name) {
			group.Go(func() error { return s.create(ctx, wanted[name]) })
		}
	}
	for _, name := range there {
		if wanted[name] == nil {
			group.Go(func() error { return s.delete(ctx, name) })
		}
	}
	return found, explain(group.Wait(), "set the schedules of "+whose)
}

// Remove deletes the schedules of a project. It is idempotent.
func (s Schedules) Remove(ctx context.Context, p anchor.Project) error {
	_, err := s.Follow(ctx, p, nil)
	return err
}

// schedulesOf returns the schedules of a cron: two when its day of the month and its day of the week
// count each by itself, which one expression of EventBridge cannot say.
func (s Schedules) schedulesOf(p anchor.Project, c anchor.Cron) (all []*scheduler.CreateScheduleInput, err error) {
	expressions, err := Expressions(c.Schedule)
	if err != nil {
		return nil, err
	}
	for _, expression := range expressions {
		in, err := s.scheduleOf(namePrefix(p.ID), "A cron of "+p.Slug+" (anchor crons)", expression, Event{ProjectID: p.ID, Cron: &c})
		if err != nil {
			return nil, err
		}
		all = append(all, in)
	}
	return all, nil
}

// scheduleOf returns the schedule that sends an event to the crons handler. Its name ends with a digest of all that
// is in it.
func (s Schedules) scheduleOf(prefix, description, expression string, e Event) (*scheduler.CreateScheduleInput, error) {
	event, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256([]byte(expression + "\x00" + s.Handler + "\x00" + s.Role + "\x00" + string(event)))
	return &scheduler.CreateScheduleInput{
		Name: sdk.String(prefix + hex.EncodeToString(digest[:16])), GroupName: &s.Group,
		Description:        &description,
		ScheduleExpression: &expression, ScheduleExpressionTimezone: sdk.String("UTC"),
		FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
		Target: &types.Target{
			Arn: &s.Handler, RoleArn: &s.Role, Input: sdk.String(string(event)),
			RetryPolicy: &types.RetryPolicy{MaximumEventAgeInSeconds: sdk.Int32(lateness), MaximumRetryAttempts: sdk.Int32(5)},
		},
	}, nil
}

func namePrefix(p anchor.ProjectID) string { return string(p) + "-" }

// warmPrefix is so short that the name has the 64 characters that Scheduler accepts.
func warmPrefix(p anchor.ProjectID) string { return "warm-" + string(p) + "-" }

func (s Schedules) list(ctx context.Context, prefix string) (names []string, err error) {
	pages := scheduler.NewListSchedulesPaginator(s.Scheduler, &scheduler.ListSchedulesInput{GroupName: &s.Group, NamePrefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if awserr.Is(err, notFound) {
			return nil, nil // no group: nothing was ever scheduled
		}
		if err != nil {
			return nil, err
		}
		for _, schedule := range page.Schedules {
			names = append(names, sdk.ToString(schedule.Name))
		}
	}
	return names, nil
}

const notFound = "ResourceNotFoundException"

func (s Schedules) create(ctx context.Context, in *scheduler.CreateScheduleInput) error {
	_, err := s.Scheduler.CreateSchedule(ctx, in)
	if awserr.Is(err, "ConflictException") { // it exists: another process was faster, or an answer was lost
		return nil
	}
	return err
}

func (s Schedules) delete(ctx context.Context, name string) error {
	_, err := s.Scheduler.DeleteSchedule(ctx, &scheduler.DeleteScheduleInput{Name: &name, GroupName: &s.Group})
	if awserr.Is(err, notFound) {
		return nil
	}
	return err
}

func explain(err error, what string) error {
	return awserr.Explain(err, what, "The schedule of the installation tries again. The cause says what AWS refuses.")
}
