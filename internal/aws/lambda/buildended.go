package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// buildChange holds the fields that are read from a "CodeBuild Build State Change" (CodeBuild
// User Guide, "Build notifications input format reference").
type buildChange struct {
	Status string `json:"build-status"`
	Build  string `json:"build-id"`
	More   struct {
		Environment struct {
			Variables []struct{ Name, Value string } `json:"environment-variables"`
		} `json:"environment"`
		Logs struct {
			Link string `json:"deep-link"`
		} `json:"logs"`
		Phases []buildPhase `json:"phases"`
	} `json:"additional-information"`
}

type buildPhase struct {
	Type    string `json:"phase-type"`
	Status  string `json:"phase-status"`
	Context []any  `json:"phase-context"` // strings, some of them empty
}

// buildEnded ends the deployment of a build that failed. A build that succeeded reports itself,
// with its artifact.
func (d *Deployer) buildEnded(ctx context.Context, detail json.RawMessage) error {
	var c buildChange
	if err := json.Unmarshal(detail, &c); err != nil {
		return d.failed(ctx, "", "build", fmt.Errorf("read the state of a build: %w", err))
	}
	if c.Status == "SUCCEEDED" || c.Status == "IN_PROGRESS" {
		return nil
	}
	id := anchor.DeploymentID(c.variable(deploy.DeploymentVariable))
	if !anchor.ValidID(string(id)) {
		d.Log.WarnContext(ctx, "a build that is no deployment's ended", "build", c.Build, "status", c.Status)
		return nil
	}
	if !d.Builder.Proves(anchor.ProjectID(c.variable(deploy.ProjectVariable)), id, c.variable(deploy.ProofVariable)) {
		d.Log.WarnContext(ctx, "a state of a build does not come from the build of its deployment", "deploymentId", id, "build", c.Build)
		return nil
	}
	d.forget(ctx, id)
	phase, why := c.why()
	if phase == downloadPhase {
		why += "\n" + d.Builder.AccessHint()
	}
	d.Log.ErrorContext(ctx, "build failed", "deploymentId", id, "step", phase, "cause", why, "build", c.Build)
	err := d.Deploys.BuildFailed(ctx, id, phase, why)
	if errors.Is(err, anchor.ErrNotFound) {
		return nil // its project was deleted
	}
	return err
}

// downloadPhase is the phase in which CodeBuild clones the repository.
const downloadPhase = "download_source"

// variable returns the value of a variable of the build, or "".
func (c buildChange) variable(name string) string {
	for _, v := range c.More.Environment.Variables {
		if v.Name == name {
			return v.Value
		}
	}
	return ""
}

// why returns the phase that ended the build and CodeBuild's message.
func (c buildChange) why() (phase, why string) {
	phase = "build"
	why = "the build ended as " + strings.ToLower(c.Status)
	for _, p := range c.More.Phases {
		if p.Status == "" || p.Status == "SUCCEEDED" {
			continue
		}
		phase = strings.ToLower(p.Type)
		for _, said := range p.Context {
			if text, ok := said.(string); ok && strings.Trim(text, " :") != "" {
				why += ": " + strings.TrimSpace(text)
			}
		}
		break
	}
	if c.More.Logs.Link != "" {
		why += "\nIts log: " + c.More.Logs.Link
	}
	return phase, why
}
