package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/release"
)

func (s *server) releaseRoutes() {
	const project = "/projects/{projectId}"
	promote := newOperation("promote-deployment", http.MethodPost, project+"/deployments/{deploymentId}/promote", anchor.ScopeDeploy,
		"Make a deployment live", 404, 409)
	promote.Description += " A preview runs with the variables of previews: its files are deployed once more with those of production," +
		" and the response is `202` with the id of that deployment, which goes live when its steps have ended."
	handleRoute(s, promote, s.promoteDeployment)
	responses := s.api.OpenAPI().Paths[promote.Path].Post.Responses
	accepted := *responses["200"]
	accepted.Description = http.StatusText(http.StatusAccepted)
	responses["202"] = &accepted
	handleRoute(s, newOperation("rollback-project", http.MethodPost, project+"/rollback", anchor.ScopeDeploy,
		"Roll back to an earlier deployment", 404, 409), s.rollbackProject)
	handleRoute(s, newOperation("list-releases", http.MethodGet, project+"/releases", anchor.ScopeRead, "List releases, newest first", 404), s.listReleases)
	handleRoute(s, newOperation("get-live", http.MethodGet, project+"/live", anchor.ScopeRead, "Get the live pointer", 404), s.getLive)
}

func (s *server) promoteDeployment(ctx context.Context, in *struct {
	InDeployment
	Body *wire.Promote `required:"false"`
}) (*promoted, error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	d, err := s.Deploys.Get(ctx, p.ID, anchor.DeploymentID(in.DeploymentID))
	if err != nil {
		return nil, err
	}
	var request wire.Promote
	if in.Body != nil {
		request = *in.Body
	}
	if deploy.IsPreview(p, d) && d.CanServe() {
		return s.promotePreview(ctx, p, d, request)
	}
	options := reloading(request.ForceReload)
	if request.Split != nil {
		options = append(options, release.Splitting(*request.Split))
	}
	r, err := s.Releases.Promote(ctx, p.ID, d.ID, options...)
	if err != nil {
		return nil, err
	}
	noteChange(ctx, r.PreviousVersion, r.Live.Version)
	return &promoted{Status: http.StatusOK, Body: describePromoted(p, r)}, nil
}

func describePromoted(p anchor.Project, r release.Result) wire.Promoted {
	id, label, weight := r.Live.Deployment, r.Live.Version, 0
	message := fmt.Sprintf("%s is live on %s", label, p.Slug)
	if split := r.Live.Split; split != nil {
		id, label, weight = split.Deployment, split.Version, split.Weight
		message = fmt.Sprintf("%s gets %d %% of the traffic of %s", label, weight, p.Slug)
	}
	return wire.Promoted{
		Message:         message,
		DeploymentID:    id,
		Weight:          weight,
		PreviousVersion: versionNumber(r.PreviousVersion),
		NewAliasVersion: versionNumber(label),
		PreviousLabel:   r.PreviousVersion,
		NewLabel:        label,
		PromoteTimeMS:   r.Took.Milliseconds(),
	}
}

// promoted answers a promote: 200 when the deployment is live, 202 when it is deployed once more.
type promoted struct {
	Status int
	Body   wire.Promoted
}

func (s *server) promotePreview(ctx context.Context, p anchor.Project, preview anchor.Deployment, request wire.Promote) (*promoted, error) {
	d, err := s.Deploys.PromotePreview(ctx, p.ID, preview, request.ForceReload, request.Split)
	if err != nil {
		return nil, err
	}
	names, err := s.Env.BuildNames(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	noteChange(ctx, "", d.ID)
	return &promoted{Status: http.StatusAccepted, Body: wire.Promoted{
		Message:      fmt.Sprintf("%s is a preview of %s; its files are deployed as %s with the variables of production", preview.ID, preview.Branch, d.ID),
		DeploymentID: d.ID, Redeployed: true, BuildVariables: names,
	}}, nil
}

func (s *server) rollbackProject(ctx context.Context, in *struct {
	InProject
	Body wire.Rollback
}) (*body[wire.RolledBack], error) {
	target := in.Body.TargetDeploymentID
	if (target == "") != in.Body.Previous {
		return nil, badTarget(target)
	}
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	if err := s.refusePreview(ctx, p, target); err != nil {
		return nil, err
	}
	r, err := s.Releases.Rollback(ctx, p.ID, target, append(reloading(in.Body.ForceReload), release.By(actorOf(ctx).Name))...)
	if err != nil {
		return nil, err
	}
	noteTarget(ctx, string(r.Live.Deployment))
	noteChange(ctx, r.PreviousVersion, r.Live.Version)
	return answerWith(wire.RolledBack{
		Message:         fmt.Sprintf("%s is rolled back to %s", p.Slug, r.Live.Version),
		DeploymentID:    r.Record.ID,
		RolledBackTo:    r.Live.Deployment,
		PreviousVersion: versionNumber(r.PreviousVersion),
		NewAliasVersion: versionNumber(r.Live.Version),
		PreviousLabel:   r.PreviousVersion,
		NewLabel:        r.Live.Version,
		RollbackTimeMS:  r.Took.Milliseconds(),
	}), nil
}

// refusePreview refuses a rollback to a preview, which would run with the variables of previews.
func (s *server) refusePreview(ctx context.Context, p anchor.Project, target anchor.DeploymentID) error {
	if target == "" {
		return nil
	}
	d, err := s.Deploys.Get(ctx, p.ID, target)
	if err == nil && deploy.IsPreview(p, d) {
		err = anchor.Conflict("preview", "deployment %s is a preview of %s, which was never live", d.ID, d.Branch).
			Hintf("To make its files live with the variables of production, run anchor promote %s", d.ID)
	}
	return err
}

func reloading(force bool) []release.Option {
	if !force {
		return nil
	}
	return []release.Option{release.ForceReload}
}

// versionNumber returns the number of the server function's version, which a deployment's label is
// made of.
func versionNumber(label string) string { return strings.TrimPrefix(label, "v") }

func badTarget(target anchor.DeploymentID) error {
	if target == "" {
		return anchor.Invalid("no_target", "the request has no targetDeploymentId").
			Hintf("Send the id of a deployed deployment; GET …/deployments lists them.")
	}
	return anchor.Invalid("two_targets", "the request has both a targetDeploymentId and previous").
		Hintf("Send one of them.")
}

func (s *server) listReleases(ctx context.Context, in *struct {
	InProject
	Paged
}) (*body[anchor.List[anchor.Release]], error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	list, err := s.Releases.List(ctx, p.ID, in.pageOf())
	if err != nil {
		return nil, err
	}
	return answerWith(mapList(list, same)), nil
}

func (s *server) getLive(ctx context.Context, in *InProject) (*body[anchor.Live], error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	live, err := s.Releases.Live(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	return answerWith(live), nil
}
