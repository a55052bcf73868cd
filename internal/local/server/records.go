package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/sites"
	"github.com/anchor-deploy/anchor/internal/local/sqlite"
)

// folder is a data folder, as it is read before anything is opened in it.
type folder string

func (f folder) path(parts ...string) string {
	return filepath.Join(append([]string{string(f)}, parts...)...)
}

func (f folder) records() string         { return f.path("anchor.db") }
func (f folder) backups() sqlite.Backups { return sqlite.Backups(f.path("backups")) }
func (f folder) platform() sites.Folder  { return sites.Folder(f.path("platform")) }

// deployments lists those that have been unpacked here. A manifest alone does not count: an upload
// that a kill interrupted leaves one.
func (f folder) deployments() ([]anchor.DeploymentID, error) {
	ids, err := f.platform().Described()
	if err != nil {
		return nil, err
	}
	trees, err := os.ReadDir(f.path("artifacts", "trees"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the deployments of the data folder: %w", err)
	}
	for _, tree := range trees {
		if tree.IsDir() && anchor.ValidID(tree.Name()) {
			ids = append(ids, anchor.DeploymentID(tree.Name()))
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// known counts the deployments here that the records know.
func (f folder) known(known sqlite.Contents) (n int, err error) {
	ids, err := f.deployments()
	for _, id := range ids {
		if known.Deployments[id] {
			n++
		}
	}
	return n, err
}

// unknown lists the deployments here that the records do not know.
func (f folder) unknown(known sqlite.Contents) ([]anchor.DeploymentID, error) {
	ids, err := f.deployments()
	return slices.DeleteFunc(ids, func(id anchor.DeploymentID) bool { return known.Deployments[id] }), err
}

// behind lists the projects whose live pointer has been further than the records show.
func (f folder) behind(known sqlite.Contents) ([]anchor.ProjectID, error) {
	pointers, err := f.platform().Pointers()
	var ids []anchor.ProjectID
	for id, p := range pointers {
		if p.Revision > known.Revisions[id] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, err
}

// check refuses records that are damaged, or that do not match the files beside them: an old copy
// from before some deployments, those of another folder, or none. It changes nothing.
func (f folder) check(ctx context.Context) error {
	known, err := sqlite.Inspect(ctx, f.records())
	if err != nil {
		return f.damaged(ctx, err)
	}
	unknown, err := f.unknown(known)
	if err != nil {
		return err
	}
	behind, err := f.behind(known)
	switch {
	case err != nil:
		return err
	case len(unknown) > 0:
		return anchor.Conflict("records_unknown", "%s lacks %s with files in %s", f.recordsName(),
			count(len(unknown), "deployment"), f).
			Hintf("%s", f.restoreHint(ctx, "Unknown: "+some(unknown)))
	case len(behind) > 0:
		return anchor.Conflict("records_old", "%s is older than the files in %s, where %s had a later release",
			f.records(), f, count(len(behind), "project")).
			Hintf("%s", f.restoreHint(ctx, "Behind: "+some(behind)))
	}
	return f.checkLog(ctx)
}

// checkLog refuses a log without the records that it belongs to: SQLite would delete it.
func (f folder) checkLog(ctx context.Context) error {
	info, err := os.Stat(f.records())
	if err == nil && info.Size() > 0 {
		return nil
	}
	wal, err := os.Stat(f.records() + "-wal")
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && wal.Size() == 0:
		return nil
	case err != nil:
		return fmt.Errorf("inspect the write-ahead log of the records: %w", err)
	}
	return anchor.Conflict("records_unknown", "%s is missing or empty, but its write-ahead log, %s-wal, exists", f.records(), f.records()).
		Hintf("%s", f.restoreHint(ctx, ""))
}

// recordsName returns the name of the records for an error, and says so when they are missing.
func (f folder) recordsName() string {
	if _, err := os.Stat(f.records()); errors.Is(err, fs.ErrNotExist) {
		return f.records() + " (missing)"
	}
	return f.records()
}

// damaged adds to the error of damaged records which copy to restore.
func (f folder) damaged(ctx context.Context, err error) error {
	if anchor.CodeOf(err) != "records_damaged" {
		return err
	}
	return anchor.Failed("records_damaged", "%s cannot be used", f.records()).
		Hintf("%s", f.restoreHint(ctx, "")).Because(err)
}

func (f folder) restoreHint(ctx context.Context, which string) string {
	var lines []string
	if which != "" {
		lines = append(lines, which+".")
	}
	lines = append(lines, "Nothing was changed. Restore the anchor.db of this folder, with anchor.db-wal if there is one.")
	if newest, err := f.newestCopy(ctx); err == nil && newest != "" {
		lines = append(lines, fmt.Sprintf("Anchor's newest usable copy is %s%s.", newest, madeAt(newest)))
	}
	lines = append(lines, "Or rebuild the records from the files in the folder: anchor doctor --repair --data "+shellQuoted(string(f)))
	return strings.Join(lines, "\n")
}

// newestCopy returns the path of the newest copy of the records that can replace them, or "" when
// there is none.
func (f folder) newestCopy(ctx context.Context) (string, error) {
	copies, err := f.backups().All()
	if err != nil {
		return "", err
	}
	for _, path := range copies {
		if c, err := sqlite.Inspect(ctx, path); err == nil && c.Deployments != nil { // nil: an empty file
			return path, nil
		}
	}
	return "", nil
}

func madeAt(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return ", of " + info.ModTime().Format("2006-01-02 15:04")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// some returns the first few names.
func some[T ~string](ids []T) string {
	const most = 3
	var names []string
	for _, id := range ids[:min(len(ids), most)] {
		names = append(names, string(id))
	}
	text := strings.Join(names, ", ")
	if len(ids) > most {
		text += fmt.Sprintf(" and %d more", len(ids)-most)
	}
	return text
}
