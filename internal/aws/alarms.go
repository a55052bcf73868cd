package aws

import (
	"context"
	"fmt"
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/alarm"
	"github.com/anchor-deploy/anchor/internal/aws/function"
)

// alarmsOf returns the thresholds of a project's alarms, nil when it has none.
func (p *Platform) alarmsOf(ctx context.Context, id anchor.ProjectID) (*anchor.Alarms, error) {
	if p.Settings == nil {
		return nil, nil
	}
	r, err := p.Settings.ProjectSettings(ctx, id)
	return r.Applied.Alarms, err
}

// candidateOf returns what the alarms of a split look at: the zero Candidate without a guarded split.
func (p *Platform) candidateOf(live anchor.Live) alarm.Candidate {
	if live.Split == nil || !live.Split.Guard {
		return alarm.Candidate{}
	}
	d := live.Split.Deployment
	return alarm.Candidate{Deployment: d, Alias: function.AliasOf(d)}
}

// alarmed returns the functions of a deployment that have alarms.
func (p *Platform) alarmed(project anchor.Project, d anchor.Deployment) (all []alarm.Function) {
	for name := range d.Functions {
		if name != function.Revalidation { // that of a candidate is not invoked
			all = append(all, alarm.Function{Name: p.functions.NameOf(project, name), HasURL: true})
		}
	}
	return all
}

// watchCandidate creates alarms for the candidate of a guarded split with the thresholds of the project's, and
// removes those of earlier candidates. A project without alarms costs no call.
func (p *Platform) watchCandidate(ctx context.Context, live anchor.Live) error {
	alarms, err := p.alarmsOf(ctx, live.ProjectID)
	if err != nil || alarms == nil {
		return err
	}
	project, err := p.project(ctx, live.ProjectID)
	if err != nil {
		return err
	}
	candidate := p.candidateOf(live)
	serves := live.Deployment
	if candidate.Deployment != "" {
		serves = candidate.Deployment
	}
	d, err := p.serving(ctx, serves)
	if err != nil {
		return err
	}
	functions := p.alarmed(project, d)
	if candidate.Deployment == "" { // the one before may have had functions that the live deployment lacks
		names, err := p.functions.NamesOf(ctx, project)
		if err != nil {
			return err
		}
		for name := range names {
			if f := (alarm.Function{Name: name, HasURL: true}); !slices.Contains(functions, f) {
				functions = append(functions, f)
			}
		}
	}
	return p.alarms.Watch(ctx, project, functions, candidate, alarms)
}

// addAlarms makes an alarm of the candidate that has fired a finding.
func (p *Platform) addAlarms(ctx context.Context, project anchor.Project, live anchor.Live, e *anchor.Evidence) error {
	candidate := p.candidateOf(live)
	if candidate.Deployment == "" || e.Finding != "" {
		return nil
	}
	alarms, err := p.alarmsOf(ctx, live.ProjectID)
	if err != nil || alarms == nil {
		return err
	}
	d, err := p.serving(ctx, candidate.Deployment)
	if err != nil {
		return err
	}
	name, reason, err := p.alarms.Fired(ctx, project, p.alarmed(project, d), candidate)
	if err != nil || name == "" {
		return err
	}
	e.Finding, e.Message = anchor.FiredAlarm, fmt.Sprintf("The alarm %s has fired: %s", name, reason)
	return nil
}
