package install

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/installation"
)

// Status describes the installation. The error is NotFound when there is none.
func (i *Installation) Status(ctx context.Context) (installation.Status, error) {
	if err := i.open(ctx); err != nil {
		return installation.Status{}, err
	}
	s, err := i.stack(ctx)
	if err != nil {
		return installation.Status{}, err
	}
	if s.status == "" {
		return installation.Status{}, anchor.NotFound("no_installation", "there is no installation %s in account %s, %s", i.Name, i.account, i.AWS.Region).
			Hintf("Make it with anchor aws bootstrap, or name another with --name and --region.")
	}
	st := installation.Status{
		Outputs: i.readOutputs(s), Installation: i.Name, Stack: string(s.status), Reason: s.reason,
		ChangedAt: s.changed.UnixMilli(), Projects: []string{}, Drift: string(s.drift),
	}
	projects, err := i.projects(ctx, s)
	if err != nil {
		return installation.Status{}, err
	}
	for _, p := range projects {
		st.Projects = append(st.Projects, p.Slug)
	}
	st.Hints = i.hints(s)
	return st, nil
}

func (i *Installation) hints(s state) []string {
	var hints []string
	if e := (*anchor.Error)(nil); errors.As(i.settled(s), &e) {
		hints = append(hints, e.Hint)
	}
	if s.stillborn() {
		hints = append(hints, "Its creation failed. anchor aws bootstrap removes the remains and tries again.")
	}
	if err := i.upgradable(s.version, false); err == nil && s.version != "" && s.version != i.Version {
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

// projects lists the installation's projects; none while it has no tables.
func (i *Installation) projects(ctx context.Context, s state) ([]anchor.Project, error) {
	if i.Projects == nil || s.outputs["ProjectsTable"] == "" {
		return nil, nil
	}
	projects, err := i.Projects.List(ctx, i.readOutputs(s))
	if errors.Is(err, anchor.ErrNotFound) {
		return nil, nil
	}
	return projects, i.explain(err, "list the projects of "+i.Name)
}
