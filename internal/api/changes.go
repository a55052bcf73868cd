package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

func (s *server) changeRoutes() {
	op := newOperation("get-changes", http.MethodGet, "/projects/{projectId}/deployments/{deploymentId}/changes", anchor.ScopeRead,
		"Compare a deployment with another, or with the live one", 404)
	op.Description += " Of variables the response contains names, not values."
	handleRoute(s, op, s.getChanges)
}

func (s *server) getChanges(ctx context.Context, in *struct {
	InDeployment
	From string `query:"from" maxLength:"64" doc:"The deployment to compare with; the live one by default"`
}) (*body[wire.Changes], error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	to, err := s.Deploys.Get(ctx, p.ID, anchor.DeploymentID(in.DeploymentID))
	if err != nil {
		return nil, err
	}
	from := anchor.DeploymentID(in.From)
	if from == "" {
		live, err := s.liveOf(ctx, p.ID)
		if err != nil {
			return nil, err
		}
		from = live.Deployment
	}
	out := wire.Changes{To: to.Serves()}
	if from != "" {
		before, err := s.Deploys.Get(ctx, p.ID, from)
		if err != nil {
			return nil, err
		}
		out.From, out.FromCommit = before.Serves(), before.CommitSha
	}
	out.ToCommit = to.CommitSha
	if err := s.compareFiles(ctx, p, &out); err != nil {
		return nil, err
	}
	return answerWith(out), s.compareVariables(ctx, &out)
}

// mostNames is how many names of a list of changes the response contains.
const mostNames = 200

func (s *server) compareFiles(ctx context.Context, p anchor.Project, out *wire.Changes) error {
	before, err := s.contents(ctx, p, out.From)
	if err != nil {
		return err
	}
	after, err := s.contents(ctx, p, out.To)
	if err != nil {
		return err
	}
	out.Size = after.Size()
	fileOf := func(m artifact.Manifest) map[string]string {
		byPath := make(map[string]string, len(m.Files))
		for _, f := range m.Files {
			byPath[f.Path] = string(f.Digest) + f.Link
		}
		return byPath
	}
	out.Files = wire.Compare(fileOf(before), fileOf(after), mostNames)
	return nil
}

// contents returns the manifest of a deployment, an empty one when it is not kept.
func (s *server) contents(ctx context.Context, p anchor.Project, d anchor.DeploymentID) (artifact.Manifest, error) {
	if d == "" {
		return artifact.Manifest{}, nil
	}
	m, err := s.Deploys.Contents(ctx, p.ID, d)
	if errors.Is(err, anchor.ErrNotFound) {
		return artifact.Manifest{}, nil
	}
	return m, err
}

func (s *server) compareVariables(ctx context.Context, out *wire.Changes) error {
	locked := func(d anchor.DeploymentID) (map[string]string, error) {
		if d == "" {
			return nil, nil
		}
		values, err := s.Env.Locked(ctx, d)
		if errors.Is(err, anchor.ErrNotFound) {
			return nil, nil
		}
		return values, err
	}
	before, err := locked(out.From)
	if err != nil {
		return err
	}
	after, err := locked(out.To)
	if err != nil {
		return err
	}
	out.Variables = wire.Compare(before, after, mostNames)
	return nil
}
