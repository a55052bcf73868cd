package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/durable"
)

// description is what the platform needs to bring a deployment's site back after
// a restart without reading its artifact again.
type description struct {
	Deployment anchor.DeploymentID
	Project    anchor.ProjectID
	Slug       string
	Dir        string // the unpacked tree, relative to nothing: absolute
	Build      anchor.Build
}

func (p *Platform) descriptionPath(id anchor.DeploymentID) string {
	return filepath.Join(p.Dir, "sites", string(id)+".json")
}

func (p *Platform) indexPath(id anchor.DeploymentID) string {
	return filepath.Join(p.Dir, "sites", string(id)+".assets")
}

func (p *Platform) writeDescription(d description) error {
	text, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode the site of deployment %s: %w", d.Deployment, err)
	}
	return durable.WriteFile(p.descriptionPath(d.Deployment), text, 0o600)
}

func (p *Platform) readDescription(id anchor.DeploymentID) (description, error) {
	var d description
	text, err := os.ReadFile(p.descriptionPath(id))
	if err != nil {
		return d, fmt.Errorf("read the site of deployment %s: %w", id, err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return d, fmt.Errorf("read the site of deployment %s: %w", id, err)
	}
	d.Dir = p.Bundles.Tree(id)
	return d, nil
}

// described lists the deployments that have files of the platform's.
func (p *Platform) described() ([]anchor.DeploymentID, error) {
	entries, err := os.ReadDir(filepath.Join(p.Dir, "sites"))
	if err != nil {
		return nil, fmt.Errorf("list the sites: %w", err)
	}
	var ids []anchor.DeploymentID
	for _, e := range entries {
		id, found := strings.CutSuffix(e.Name(), ".json")
		if found && anchor.ValidID(id) {
			ids = append(ids, anchor.DeploymentID(id))
		}
	}
	return ids, nil
}

func (p *Platform) eraseDescription(id anchor.DeploymentID) error {
	var errs []error
	for _, path := range []string{p.indexPath(id), p.descriptionPath(id)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
