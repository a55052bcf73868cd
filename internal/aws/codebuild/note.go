package codebuild

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// note is what the Builder stores of a build: what its deployment does not say.
type note struct {
	Repository string `json:"repository"`      // as requested
	Build      string `json:"build,omitempty"` // CodeBuild's id, "<project>:<uuid>"; "" before the build has started
}

func (b Builder) putNote(ctx context.Context, id anchor.DeploymentID, n note) error {
	text, err := json.Marshal(n)
	if err == nil {
		err = b.Records.PutBuildNote(ctx, id, string(text))
	}
	if err != nil {
		return fmt.Errorf("store what the build of deployment %s is made of: %w", id, err)
	}
	return nil
}

// note returns the zero value for a build of an earlier version of Anchor.
func (b Builder) note(ctx context.Context, id anchor.DeploymentID) (n note, err error) {
	text, err := b.Records.BuildNote(ctx, id)
	if err == nil && text != "" {
		err = json.Unmarshal([]byte(text), &n)
	}
	if err != nil {
		return note{}, fmt.Errorf("read what the build of deployment %s is made of: %w", id, err)
	}
	return n, nil
}

// Repository returns the repository of a deployment's build, or NotFound for a build that an earlier
// version of Anchor started.
func (b Builder) Repository(ctx context.Context, id anchor.DeploymentID) (string, error) {
	n, err := b.note(ctx, id)
	if err == nil && n.Repository == "" {
		err = anchor.NotFound("no_retry", "the repository of build %s is not stored", id).
			Hintf("Start a build of its commit: anchor builds start --ref COMMIT")
	}
	return n.Repository, err
}
