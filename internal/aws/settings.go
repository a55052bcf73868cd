package aws

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/alarm"
	"github.com/anchor-deploy/anchor/internal/aws/function"
	"github.com/anchor-deploy/anchor/internal/aws/role"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// SettingsRecords stores the settings of projects.
type SettingsRecords interface {
	// ProjectSettings returns a project's settings, the zero record when nothing was stored.
	ProjectSettings(ctx context.Context, p anchor.ProjectID) (anchor.SettingsRecord, error)
	// NoteFileSettings replaces the settings of the newest production deployment's anchor.json.
	NoteFileSettings(ctx context.Context, p anchor.ProjectID, file anchor.Settings) error
	// NoteApplied replaces what of r was applied: Applied, AppliedTo, AppliedAt and Failure.
	NoteApplied(ctx context.Context, p anchor.ProjectID, r anchor.SettingsRecord) error
}

// readSettings returns the settings that a deployment is published with: those of its anchor.json over
// those of the project.
func (p *Platform) readSettings(ctx context.Context, a deploy.Artifact) (anchor.Settings, error) {
	file, err := function.SettingsOf(a)
	if err != nil {
		return anchor.Settings{}, err
	}
	r, err := p.Settings.ProjectSettings(ctx, a.Project.ID)
	return file.Over(r.Set), err
}

// followFile stores the settings of a production deployment's anchor.json, because the settings that
// are not part of a version follow it, and applies these.
func (p *Platform) followFile(ctx context.Context, a deploy.Artifact) error {
	if a.Deployment.NoRelease {
		return p.ApplySettings(ctx, a.Project.ID, false)
	}
	file, err := function.SettingsOf(a)
	if err != nil {
		return err
	}
	r, err := p.Settings.ProjectSettings(ctx, a.Project.ID)
	if err != nil {
		return err
	}
	before := r.File
	if before == nil {
		before = &anchor.Settings{}
	}
	if !reflect.DeepEqual(*before, file) {
		if err := p.Settings.NoteFileSettings(ctx, a.Project.ID, file); err != nil {
			return err
		}
	}
	r.File = &file
	return p.applyRecord(ctx, a.Project.ID, r, false)
}

// ensureRole creates the project's role, or updates it to what the functions of the artifact need.
func (p *Platform) ensureRole(ctx context.Context, a deploy.Artifact, s anchor.Settings) (arn string, err error) {
	if p.Boundary == "" && p.FunctionRole != "" {
		return p.FunctionRole, nil
	}
	access := role.Access{Project: a.Project, Functions: p.functions.Called(a), Queue: p.functions.QueueName(a.Project), KMSKey: s.KMSKey}
	for _, f := range append(slices.Collect(maps.Values(s.Functions)), s.FunctionSettings) {
		access.VPC = access.VPC || f.VPC != nil
	}
	return p.roles.Ensure(ctx, access)
}

// ApplySettings applies the settings of a project that are not part of a version: log retention,
// concurrency, warmer, tags, alarms and web ACL. again also applies those that it applied before,
// in case that somebody else changed them. Before the first deployment there is nothing to apply them
// to. A failure is stored too, for anchor projects settings to show.
func (p *Platform) ApplySettings(ctx context.Context, id anchor.ProjectID, again bool) error {
	r, err := p.Settings.ProjectSettings(ctx, id)
	if err != nil {
		return err
	}
	return p.applyRecord(ctx, id, r, again)
}

func (p *Platform) applyRecord(ctx context.Context, id anchor.ProjectID, r anchor.SettingsRecord, again bool) error {
	now := lasting(r.Effective())
	if now.IsZero() && r.Applied.IsZero() {
		return nil
	}
	project, err := p.project(ctx, id)
	if err != nil {
		return err
	}
	names, err := p.functions.NamesOf(ctx, project)
	if err != nil || len(names) == 0 {
		return err
	}
	functions := slices.Sorted(maps.Keys(names))
	if !again && r.Failure == "" && reflect.DeepEqual(now, r.Applied) && reflect.DeepEqual(functions, r.AppliedTo) {
		return nil
	}
	err = p.applyTo(ctx, project, names, r, now, again)
	// After a failure, both what was applied before and what was wanted may be there: the next attempt
	// removes what either has beyond.
	r.AppliedAt, r.Failure = p.Now().UnixMilli(), ""
	if err != nil {
		alarms := mostAlarms(r.Applied.Alarms, now.Alarms)
		r.Failure, now = err.Error(), now.Over(r.Applied)
		now.Alarms = alarms
	}
	r.Applied, r.AppliedTo = now, functions
	return errors.Join(err, p.Settings.NoteApplied(ctx, id, r))
}

func (p *Platform) applyTo(ctx context.Context, project anchor.Project, names map[string]string, r anchor.SettingsRecord, now anchor.Settings, again bool) error {
	again = again || r.Failure != ""
	var failed error
	var alarmed []alarm.Function
	for _, name := range slices.Sorted(maps.Keys(names)) {
		before := r.Applied
		if again || !slices.Contains(r.AppliedTo, name) {
			before = missing(r.Applied, now)
		}
		failed = errors.Join(failed, p.functions.Apply(ctx, name, names[name], before, now))
		alarmed = append(alarmed, alarm.Function{Name: name, HasURL: names[name] != function.Revalidation})
	}
	before := r.Applied
	if again {
		before = missing(r.Applied, now)
	}
	failed = errors.Join(failed, p.alarms.Apply(ctx, project, alarmed, r.Applied.Alarms, now.Alarms), p.front.Apply(ctx, project, before, now))
	failed = errors.Join(failed, p.followWarmer(ctx, project, before.Warmed(), now.Warmed()))
	if r.Applied.WebACL != now.WebACL {
		failed = errors.Join(failed, p.domains.Follow(ctx, project))
	}
	return failed
}

// mostAlarms returns alarms that have each threshold that either has.
func mostAlarms(a, b *anchor.Alarms) *anchor.Alarms {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	return &anchor.Alarms{
		Topic: cmp.Or(b.Topic, a.Topic), Errors: cmp.Or(b.Errors, a.Errors), Throttles: cmp.Or(b.Throttles, a.Throttles),
		DurationMS: cmp.Or(b.DurationMS, a.DurationMS),
	}
}

// missing returns settings that differ from now wherever now sets something, and that have what
// applied sets beyond: applying now over them writes all of now and removes the rest.
func missing(applied, now anchor.Settings) anchor.Settings {
	m := applied
	if now.LogRetentionDays != 0 {
		m.LogRetentionDays = 0
	}
	if now.KMSKey != "" {
		m.KMSKey = ""
	}
	if now.WebACL != "" {
		m.WebACL = ""
	}
	m.Tags = maps.Clone(applied.Tags)
	for name := range now.Tags {
		delete(m.Tags, name)
	}
	m.Functions = map[string]anchor.FunctionSettings{}
	for name, f := range applied.Functions {
		if now.Of(name).ReservedConcurrency != 0 {
			f.ReservedConcurrency = 0
		}
		if now.Of(name).ProvisionedConcurrency != 0 {
			f.ProvisionedConcurrency = 0
		}
		if now.Of(name).Warmer != 0 {
			f.Warmer = 0
		}
		m.Functions[name] = f
	}
	if now.ReservedConcurrency != 0 {
		m.ReservedConcurrency = 0
	}
	if now.ProvisionedConcurrency != 0 {
		m.ProvisionedConcurrency = 0
	}
	if now.Warmer != 0 {
		m.Warmer = 0
	}
	return m
}

// lasting returns the settings that are not part of a version.
func lasting(s anchor.Settings) anchor.Settings {
	l := anchor.Settings{
		LogRetentionDays: s.LogRetentionDays, KMSKey: s.KMSKey, WebACL: s.WebACL, Tags: s.Tags, Alarms: s.Alarms,
		FunctionSettings: startedOf(s.FunctionSettings),
	}
	for name, f := range s.Functions {
		if f.ReservedConcurrency == 0 && f.ProvisionedConcurrency == 0 && f.Warmer == 0 {
			continue
		}
		if l.Functions == nil {
			l.Functions = map[string]anchor.FunctionSettings{}
		}
		l.Functions[name] = startedOf(f)
	}
	return l
}

// startedOf returns those settings that say how many instances run.
func startedOf(f anchor.FunctionSettings) anchor.FunctionSettings {
	return anchor.FunctionSettings{ReservedConcurrency: f.ReservedConcurrency, ProvisionedConcurrency: f.ProvisionedConcurrency, Warmer: f.Warmer}
}

// removeAlarms deletes the alarms of a project's functions.
func (p *Platform) removeAlarms(ctx context.Context, project anchor.Project) error {
	names, err := p.functions.NamesOf(ctx, project)
	if err != nil || len(names) == 0 {
		return err
	}
	var all []alarm.Function
	for name := range names {
		all = append(all, alarm.Function{Name: name})
	}
	return errors.Join(p.alarms.Remove(ctx, project, all), p.alarms.Watch(ctx, project, all, alarm.Candidate{}, nil))
}
