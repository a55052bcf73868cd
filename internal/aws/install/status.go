package install

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/installation"
)

// Status describes the installation. The error is NotFound when there is none.
func (i *Installation) Status(ctx context.Context) (installation.Status, error) {
	if err := i.identifyCaller(ctx); err != nil {
		return installation.Status{}, err
	}
	s, err := i.stackState(ctx)
	if err != nil {
		return installation.Status{}, err
	}
	if s.status == "" {
		return installation.Status{}, anchor.NotFound("no_installation", "there is no installation %s in account %s, %s", i.Name, i.account, i.AWS.Region).
			Hintf("Create it with anchor aws bootstrap, or choose another one with --name and --region.")
	}
	st := installation.Status{
		Outputs: i.readOutputs(s), Installation: i.Name, Stack: string(s.status), Reason: s.reason,
		ChangedAt: s.changed.UnixMilli(), Projects: []string{}, Drift: string(s.drift),
	}
	projects, err := i.listProjects(ctx, s)
	if err != nil {
		return installation.Status{}, err
	}
	divided, err := i.divided(ctx, s, projects)
	if err != nil {
		return installation.Status{}, err
	}
	st.Hints = append(i.statusHints(s), i.runtimeWarnings(ctx)...)
	usage, err := i.idleUsage(ctx, s, projects)
	if err != nil {
		return installation.Status{}, err
	}
	st.IdleUSD, st.StartedUSD = installation.SumUSD(usage), installation.StartedUSD(usage)
	for _, p := range projects {
		st.Projects = append(st.Projects, p.Slug)
		if since, found := divided[p.ID]; found {
			st.Divided = append(st.Divided, p.Slug)
			st.Hints = append(st.Hints, dividedHint(p.Slug, since))
		}
	}
	return st, nil
}

// divided returns since when the traffic of projects is divided, for those of which it is.
func (i *Installation) divided(ctx context.Context, s state, projects []anchor.Project) (map[anchor.ProjectID]time.Time, error) {
	if len(projects) == 0 {
		return nil, nil
	}
	lives, err := i.Projects.Lives(ctx, i.readOutputs(s))
	if err != nil && !errors.Is(err, anchor.ErrNotFound) {
		return nil, i.explainError(err, "read the live pointers of "+i.Name)
	}
	since := map[anchor.ProjectID]time.Time{}
	for _, live := range lives {
		if live.DividedSince != 0 {
			since[live.ProjectID] = time.UnixMilli(live.DividedSince)
		}
	}
	return since, nil
}

func dividedHint(slug string, since time.Time) string {
	return fmt.Sprintf("Since %s some requests for %s may reach another deployment than the live one: a switch failed half-way.\n"+
		"Anchor retries every minute. anchor releases --project %s shows the release, and the deployment's record the cause.",
		since.UTC().Format(time.RFC3339), slug, slug)
}

func (i *Installation) statusHints(s state) []string {
	var hints []string
	if e := (*anchor.Error)(nil); errors.As(i.checkSettled(s), &e) {
		hints = append(hints, e.Hint)
	}
	if s.isStillborn() {
		hints = append(hints, "Its creation failed. anchor aws bootstrap removes the remains and tries again.")
	}
	if err := i.checkUpgradable(s.version, false); err == nil && s.version != "" && s.version != i.Version {
		hints = append(hints, "This is anchor "+i.Version+": anchor aws bootstrap upgrades the installation.")
	}
	switch s.drift {
	case types.StackDriftStatusDrifted:
		hints = append(hints, "Somebody changed resources of the stack by hand. anchor aws bootstrap may not see it:\n"+
			"aws cloudformation describe-stack-resource-drifts --stack-name "+i.Name+" --region "+i.AWS.Region)
	case types.StackDriftStatusInSync, types.StackDriftStatusUnknown:
	default:
		hints = append(hints, "Whether somebody changed resources by hand is found out with\n"+
			"aws cloudformation detect-stack-drift --stack-name "+i.Name+" --region "+i.AWS.Region)
	}
	return hints
}

// listProjects lists the installation's projects; none while it has no tables.
func (i *Installation) listProjects(ctx context.Context, s state) ([]anchor.Project, error) {
	if i.Projects == nil || s.outputs["ProjectsTable"] == "" {
		return nil, nil
	}
	projects, err := i.Projects.List(ctx, i.readOutputs(s))
	if errors.Is(err, anchor.ErrNotFound) {
		return nil, nil
	}
	return projects, i.explainError(err, "list the projects of "+i.Name)
}
