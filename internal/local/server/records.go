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

func (f folder) joinPath(parts ...string) string {
	return filepath.Join(append([]string{string(f)}, parts...)...)
}

func (f folder) recordsPath() string       { return f.joinPath("anchor.db") }
func (f folder) backupsOf() sqlite.Backups { return sqlite.Backups(f.joinPath("backups")) }
func (f folder) sitesFolder() sites.Folder { return sites.Folder(f.joinPath("platform")) }

// listDeployments lists those that have been unpacked here. A manifest alone does not count: an upload
// that a kill interrupted leaves one.
func (f folder) listDeployments() ([]anchor.DeploymentID, error) {
	ids, err := f.sitesFolder().Described()
	if err != nil {
		return nil, err
	}
	trees, err := os.ReadDir(f.joinPath("artifacts", "trees"))
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

// countKnown counts the deployments here that the records know.
func (f folder) countKnown(known sqlite.Contents) (n int, err error) {
	ids, err := f.listDeployments()
	for _, id := range ids {
		if known.Deployments[id] {
			n++
		}
	}
	return n, err
}

// listUnknown lists the deployments here that the records do not know.
func (f folder) listUnknown(known sqlite.Contents) ([]anchor.DeploymentID, error) {
	ids, err := f.listDeployments()
	return slices.DeleteFunc(ids, func(id anchor.DeploymentID) bool { return known.Deployments[id] }), err
}

// listBehind lists the projects whose live pointer has been further than the records show.
func (f folder) listBehind(known sqlite.Contents) ([]anchor.ProjectID, error) {
	pointers, err := f.sitesFolder().Pointers()
	var ids []anchor.ProjectID
	for id, p := range pointers {
		if p.Revision > known.Revisions[id] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, err
}

// checkRecords refuses records that are damaged, or that do not match the files beside them: an old copy
// from before some deployments, those of another folder, or none. It changes nothing.
func (f folder) checkRecords(ctx context.Context) error {
	known, err := sqlite.Inspect(ctx, f.recordsPath())
	if err != nil {
		return f.explainDamaged(ctx, err)
	}
	unknown, err := f.listUnknown(known)
	if err != nil {
		return err
	}
	behind, err := f.listBehind(known)
	switch {
	case err != nil:
		return err
	case len(unknown) > 0:
		return anchor.Conflict("records_unknown", "%s lacks %s with files in %s", f.recordsName(),
			countNoun(len(unknown), "deployment"), f).
			Hintf("%s", f.restoreHint(ctx, "Unknown: "+firstFew(unknown)))
	case len(behind) > 0:
		return anchor.Conflict("records_old", "%s is older than the files in %s, where %s had a later release",
			f.recordsPath(), f, countNoun(len(behind), "project")).
			Hintf("%s", f.restoreHint(ctx, "Behind: "+firstFew(behind)))
	}
	return f.checkLog(ctx)
}

// checkLog refuses a log without the records that it belongs to: SQLite would delete it.
func (f folder) checkLog(ctx context.Context) error {
	info, err := os.Stat(f.recordsPath())
	if err == nil && info.Size() > 0 {
		return nil
	}
	wal, err := os.Stat(f.recordsPath() + "-wal")
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && wal.Size() == 0:
		return nil
	case err != nil:
		return fmt.Errorf("inspect the write-ahead log of the records: %w", err)
	}
	return anchor.Conflict("records_unknown", "%s is missing or empty, but its write-ahead log, %s-wal, exists", f.recordsPath(), f.recordsPath()).
		Hintf("%s", f.restoreHint(ctx, ""))
}

// recordsName returns the name of the records for an error, and says so when they are missing.
func (f folder) recordsName() string {
	if _, err := os.Stat(f.recordsPath()); errors.Is(err, fs.ErrNotExist) {
		return f.recordsPath() + " (missing)"
	}
	return f.recordsPath()
}

// explainDamaged adds to the error of damaged records which copy to restore.
func (f folder) explainDamaged(ctx context.Context, err error) error {
	if anchor.CodeOf(err) != "records_damaged" {
		return err
	}
	return anchor.Failed("records_damaged", "%s cannot be used", f.recordsPath()).
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
	copies, err := f.backupsOf().All()
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

func countNoun(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// firstFew returns the first few names.
func firstFew[T ~string](ids []T) string {
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
