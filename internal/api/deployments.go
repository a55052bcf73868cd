package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// InDeployment is the part of an input that names the deployment.
type InDeployment struct {
	InProject
	DeploymentID string `path:"deploymentId" maxLength:"64"`
}

func (s *server) deploymentRoutes() {
	const all, one = "/projects/{projectId}/deployments", "/projects/{projectId}/deployments/{deploymentId}"
	start := newOperation("start-deployment", http.MethodPost, all, anchor.ScopeDeploy,
		"Start a deployment; the response lists the files to upload", 404, 409)
	start.DefaultStatus = http.StatusCreated
	start.Description += " The body may also be the JSON compressed with gzip, as `" + wire.GzipType + "`."
	start.MaxBodyBytes, start.BodyReadTimeout = maxManifest, 5*time.Minute
	handleRoute(s, start, s.startDeployment)
	handleRoute(s, newOperation("list-deployments", http.MethodGet, all, anchor.ScopeRead, "List deployments, newest first", 404), s.listDeployments)
	handleRoute(s, newOperation("get-deployment", http.MethodGet, one, anchor.ScopeRead, "Get a deployment", 404), s.getDeployment)
	handleRoute(s, newOperation("list-missing", http.MethodGet, one+"/missing", anchor.ScopeDeploy, "List the files that have not arrived yet", 404, 409), s.getMissing)
	presign := newOperation("presign-uploads", http.MethodPost, one+"/uploads", anchor.ScopeDeploy,
		"Get URLs to upload contents to, where contents do not go through the API", 404, 409)
	presign.Metadata[quietKey] = true
	handleRoute(s, presign, s.presignUploads)
	finish := newOperation("finish-deployment", http.MethodPost, one+"/finish", anchor.ScopeDeploy,
		"Finish the upload and start the pipeline", 404, 409)
	finish.DefaultStatus = http.StatusAccepted
	finish.Metadata[quietKey] = true
	handleRoute(s, finish, s.finishDeployment)
	handleRoute(s, newOperation("cancel-deployment", http.MethodPost, one+"/cancel", anchor.ScopeDeploy, "Cancel a running deployment", 404, 409), s.cancelDeployment)
	s.eventRoutes(one)
}

func (s *server) startDeployment(ctx context.Context, in *struct {
	InProject
	Body wire.StartDeployment
}) (*body[wire.StartedDeployment], error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	if in.Body.Delta != nil && len(in.Body.Manifest.Files) > 0 {
		return nil, anchor.Invalid("two_manifests", "the request has both a manifest and a delta").Hintf("Send one of them.")
	}
	if in.Body.FilesOf != "" && (in.Body.Delta != nil || len(in.Body.Manifest.Files) > 0) {
		return nil, anchor.Invalid("two_manifests", "the request names a deployment and lists files").Hintf("Send one of them.")
	}
	started, err := s.Deploys.Start(ctx, p.ID, deploy.Request{
		Manifest: in.Body.Manifest, Delta: in.Body.Delta, FilesOf: in.Body.FilesOf, CommitSha: in.Body.CommitSha, CommitMessage: in.Body.CommitMessage,
		Branch: in.Body.Branch, PullRequest: in.Body.PullRequest, NoRelease: in.Body.NoRelease, ForceReload: in.Body.ForceReload, Split: in.Body.Split, By: actorOf(ctx).Name,
	})
	if err != nil {
		return nil, err
	}
	noteTarget(ctx, string(started.Deployment.ID))
	shown, err := s.showRecord(ctx, p, started.Deployment)
	if err != nil {
		return nil, err
	}
	out := wire.StartedDeployment{Deployment: shown, Missing: notNil(started.Missing), Presigned: s.Uploads != nil}
	if in.Body.FilesOf != "" {
		if out.BuildVariables, err = s.Env.BuildNames(ctx, p.ID); err != nil {
			return nil, err
		}
	}
	return answerWith(out), nil
}

func (s *server) listDeployments(ctx context.Context, in *struct {
	InProject
	Paged
}) (*body[anchor.List[wire.Deployment]], error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	list, err := s.Deploys.List(ctx, p.ID, in.pageOf())
	if err != nil {
		return nil, err
	}
	live, err := s.liveOf(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	return answerWith(mapList(list, func(d anchor.Deployment) wire.Deployment { return s.addShown(p, d, live) })), nil
}

func (s *server) getDeployment(ctx context.Context, in *InDeployment) (*body[wire.Deployment], error) {
	return s.withDeployment(ctx, in, s.Deploys.Get)
}

func (s *server) finishDeployment(ctx context.Context, in *InDeployment) (*body[wire.Deployment], error) {
	return s.withDeployment(ctx, in, s.Deploys.Finish)
}

func (s *server) cancelDeployment(ctx context.Context, in *InDeployment) (*body[wire.Deployment], error) {
	return s.withDeployment(ctx, in, s.Deploys.Cancel)
}

func (s *server) getMissing(ctx context.Context, in *InDeployment) (*body[wire.Missing], error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	missing, err := s.Deploys.Missing(ctx, p.ID, anchor.DeploymentID(in.DeploymentID))
	if err != nil {
		return nil, err
	}
	return answerWith(wire.Missing{Missing: notNil(missing)}), nil
}

func (s *server) presignUploads(ctx context.Context, in *struct {
	InDeployment
	Body wire.Presign
}) (*body[wire.Presigned], error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	if s.Uploads == nil {
		return nil, anchor.Conflict("direct_uploads", "this server accepts files only through the API").
			Hintf("Send them to /projects/{projectId}/files, as for every deployment whose start returns no \"presigned\".")
	}
	files, err := s.Deploys.Files(ctx, p.ID, anchor.DeploymentID(in.DeploymentID), in.Body.Digests)
	if err != nil {
		return nil, err
	}
	uploads, err := s.Uploads.Presign(ctx, files)
	if err != nil {
		return nil, err
	}
	return answerWith(wire.Presigned{Uploads: uploads}), nil
}

type deploymentCall func(context.Context, anchor.ProjectID, anchor.DeploymentID) (anchor.Deployment, error)

func (s *server) withDeployment(ctx context.Context, in *InDeployment, call deploymentCall) (*body[wire.Deployment], error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	d, err := call(ctx, p.ID, anchor.DeploymentID(in.DeploymentID))
	if err != nil {
		return nil, err
	}
	shown, err := s.showRecord(ctx, p, d)
	if err != nil {
		return nil, err
	}
	return answerWith(shown), nil
}

func (s *server) showRecord(ctx context.Context, p anchor.Project, d anchor.Deployment) (wire.Deployment, error) {
	live, err := s.liveOf(ctx, p.ID)
	if err != nil {
		return wire.Deployment{}, err
	}
	return s.addShown(p, d, live), nil
}

// addShown adds what a record does not contain. After a rollback the rollback's record is the live
// one, and names the deployment that it brought back.
func (s *server) addShown(p anchor.Project, d anchor.Deployment, live anchor.Live) wire.Deployment {
	if d.Functions == nil {
		d.Functions = map[string]anchor.FunctionVersion{}
	}
	site, own := s.Sites.URLs(p, d.Serves())
	branch := ""
	if s.Branches != nil && deploy.IsPreview(p, d) {
		branch = s.Branches(p.ID, d.Branch)
	}
	shown := wire.Deployment{Deployment: d, URL: site, DeploymentURL: own, BranchURL: branch, Live: d.ID == live.Record}
	if split := live.Split; split != nil { // then the record of the release is that of the candidate
		shown.Live = d.ID == live.Deployment
		if d.ID == split.Deployment {
			shown.Weight = split.Weight
		}
	}
	return shown
}

// liveOf returns the pointer, zero before the first release.
func (s *server) liveOf(ctx context.Context, p anchor.ProjectID) (anchor.Live, error) {
	live, err := s.Releases.Live(ctx, p)
	if errors.Is(err, anchor.ErrNotFound) {
		return anchor.Live{}, nil
	}
	return live, err
}

func notNil(digests []artifact.Digest) []artifact.Digest {
	if digests == nil {
		return []artifact.Digest{}
	}
	return digests
}
