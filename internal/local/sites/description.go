package sites

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/atomicfile"
)

// Description is what the platform needs to open a deployment's site after a restart without
// reading its artifact again, and to rebuild lost records.
type Description struct {
	Deployment anchor.DeploymentID
	Project    anchor.ProjectID
	Slug       string
	Dir        string // the unpacked tree, absolute; set when it is read
	Build      anchor.Build

	Owner  anchor.Project    // the zero value in a file of an older Anchor, as the fields below
	Record anchor.Deployment // as it was when it was last written here
	Sealed []byte            // the environment it is locked to, sealed with the key of the data folder
	Ready  bool              // the deployment has answered its probe

	BranchLabel string // of the host of its branch: "feature-x--shop"; "" when it is not a preview

	Runtime opennext.Runtime // what the build asks of Node.js
}

// Pointer is a project's live pointer at the time when traffic last followed it.
type Pointer struct {
	anchor.Live
	Order int64
}

// Folder is the folder of the platform's own files. It is read without a Platform when the records
// are compared with it or rebuilt from it.
type Folder string

func (f Folder) joinPath(parts ...string) string {
	return filepath.Join(append([]string{string(f)}, parts...)...)
}

func (f Folder) descriptionPath(id anchor.DeploymentID) string {
	return f.joinPath("sites", string(id)+".json")
}
func (f Folder) indexPath(id anchor.DeploymentID) string {
	return f.joinPath("sites", string(id)+".assets")
}
func (f Folder) rulesPath(id anchor.DeploymentID) string {
	return f.joinPath("sites", string(id)+".rules")
}
func (f Folder) pointerPath(p anchor.ProjectID) string { return f.joinPath("lives", string(p)+".json") }

// makeFolders creates the missing folders.
func (f Folder) makeFolders() error {
	for _, dir := range []string{"sites", "variants", "lives", "trash"} {
		if err := os.MkdirAll(f.joinPath(dir), 0o700); err != nil {
			return fmt.Errorf("make the platform's folders: %w", err)
		}
	}
	return nil
}

// Described lists the deployments that have a description; none without the folder.
func (f Folder) Described() ([]anchor.DeploymentID, error) {
	names, err := f.listIDs("sites")
	ids := make([]anchor.DeploymentID, len(names))
	for i, name := range names {
		ids[i] = anchor.DeploymentID(name)
	}
	return ids, err
}

// listIDs lists the names <id>.json in a folder.
func (f Folder) listIDs(folder string) ([]string, error) {
	entries, err := os.ReadDir(f.joinPath(folder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the folder %s: %w", f.joinPath(folder), err)
	}
	var ids []string
	for _, e := range entries {
		if id, found := strings.CutSuffix(e.Name(), ".json"); found && anchor.ValidID(id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// Description reads one description. Its error is fs.ErrNotExist when there is none.
func (f Folder) Description(id anchor.DeploymentID) (d Description, err error) {
	return d, f.readJSON(f.descriptionPath(id), &d)
}

func (f Folder) readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the platform's files: %w", err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

func (f Folder) writeJSON(path string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return atomicfile.WriteFile(path, text, 0o600)
}

// Pointers returns the live pointers of all projects as far as they can be read.
func (f Folder) Pointers() (map[anchor.ProjectID]Pointer, error) {
	names, err := f.listIDs("lives")
	all := make(map[anchor.ProjectID]Pointer, len(names))
	for _, name := range names {
		var p Pointer
		if f.readJSON(f.pointerPath(anchor.ProjectID(name)), &p) == nil {
			p.Live.Order = p.Order
			all[p.ProjectID] = p
		}
	}
	return all, err
}

func (f Folder) keepPointer(live anchor.Live) error {
	return f.writeJSON(f.pointerPath(live.ProjectID), Pointer{live, live.Order})
}

// DropPointer removes the stored live pointer of the project.
func (f Folder) DropPointer(p anchor.ProjectID) error {
	if err := os.Remove(f.pointerPath(p)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Remove moves what the folder has of a deployment to its trash. A missing file is not an error.
func (f Folder) Remove(id anchor.DeploymentID) error {
	var errs []error
	for _, path := range []string{f.indexPath(id), f.rulesPath(id), f.descriptionPath(id)} {
		now, trashed := time.Now(), f.joinPath("trash", filepath.Base(path))
		err := os.Chtimes(path, now, now) // its age there counts from its removal
		if err == nil {
			err = os.Rename(path, trashed)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// emptyTrash deletes what was removed more than age ago.
func (f Folder) emptyTrash(age time.Duration) error {
	entries, err := os.ReadDir(f.joinPath("trash"))
	if err != nil {
		return fmt.Errorf("empty the trash: %w", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && time.Since(info.ModTime()) >= age {
			err = os.Remove(f.joinPath("trash", e.Name()))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("empty the trash: %w", err)
		}
	}
	return nil
}
