package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/artifact/build"
)

// lastUpload is .anchor/uploads/<project>.json: what was deployed from this folder last, so
// that the next deploy sends only the difference of its manifest. Without it, or when the
// server has forgotten that deployment or is another one, all files are listed.
type lastUpload struct {
	DeploymentID anchor.DeploymentID `json:"deploymentId"`
	Manifest     artifact.Manifest   `json:"manifest"`
}

// lastUploadFile is in Anchor's folder in the app.
func (d *deploying) lastUploadFile() string {
	return "uploads/" + url.PathEscape(d.slug) + ".json"
}

// deltaOf returns the difference between m and the last upload. Any error only means that the
// whole manifest is sent.
func (d *deploying) deltaOf(m artifact.Manifest) *artifact.Delta {
	content, err := readOwn(d.dir, build.StateDir+"/"+d.lastUploadFile(), maxUpload)
	if err != nil {
		return nil
	}
	var last lastUpload
	if json.Unmarshal(content, &last) != nil {
		return nil
	}
	delta := m.Since(last.DeploymentID, last.Manifest)
	if len(delta.Changed)+len(delta.Removed) > len(m.Files) { // the whole is shorter
		return nil
	}
	return &delta
}

// rememberUpload keeps what delta needs.
func (d *deploying) rememberUpload(id anchor.DeploymentID, m artifact.Manifest) error {
	if filepath.Base(d.dir) == build.TreeName { // the app's folder is not known
		return nil
	}
	content, err := json.Marshal(lastUpload{DeploymentID: id, Manifest: m})
	if err != nil {
		return fmt.Errorf("store the file list of this upload: %w", err)
	}
	name := d.lastUploadFile()
	temp := fmt.Sprintf("%s.%d", name, os.Getpid())
	err = build.InState(d.dir, func(state *os.Root) error {
		err := state.MkdirAll(path.Dir(name), 0o755)
		if err == nil {
			err = state.WriteFile(temp, content, 0o644)
		}
		if err == nil {
			err = state.Rename(temp, name)
		}
		if err != nil {
			return errors.Join(err, state.RemoveAll(temp))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store the file list of this upload: %w", err)
	}
	return nil
}
