package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/atomicfile"
	"github.com/anchor-deploy/anchor/internal/local/discovery"
	"github.com/anchor-deploy/anchor/internal/local/sites"
	"github.com/anchor-deploy/anchor/internal/local/sqlite"
)

// Repaired lists what Repair did, in order.
type Repaired struct {
	Data  string   `json:"data"`
	Done  []string `json:"done"`  // changes, one sentence each
	Lost  []string `json:"lost"`  // what could not be rebuilt
	Start bool     `json:"start"` // Anchor starts with the present records
}

// StartCommand returns the command that starts the server on the repaired folder, quoted for
// a POSIX shell. A folder other than the default one needs --data: without it the command
// would start an empty server.
func (r Repaired) StartCommand() string {
	if standard, err := discovery.DefaultData(); err == nil && filepath.Clean(standard) == r.Data {
		return "anchor up"
	}
	return "anchor up --data " + shellQuoted(r.Data)
}

func (r *Repaired) addDone(format string, args ...any) {
	r.Done = append(r.Done, fmt.Sprintf(format, args...))
}
func (r *Repaired) addLost(format string, args ...any) {
	r.Lost = append(r.Lost, fmt.Sprintf(format, args...))
}

// Repair makes the records of a data folder match its files again. Lost or damaged records are
// replaced by the newest copy that is whole, and deployments that the copy does not know are added
// from the files. Nothing is deleted; what does not match is set aside. Anchor must not run on the
// folder.
func Repair(ctx context.Context, data string) (Repaired, error) {
	abs, err := filepath.Abs(data)
	if err != nil {
		return Repaired{}, fmt.Errorf("find the data folder: %w", err)
	}
	if _, err := os.Stat(abs); err != nil {
		return Repaired{}, anchor.Invalid("bad_data", "the data folder %s does not exist", abs).
			Hintf("Pass the data folder of the server with --data.").Because(err)
	}
	unlock, err := lockData(abs)
	if err != nil {
		return Repaired{}, err
	}
	defer unlock()
	f, r := folder(abs), &Repaired{Data: abs, Done: []string{}, Lost: []string{}}
	if err := f.checkKeyInUse(); err != nil {
		return *r, err
	}
	err = f.repairRecords(ctx, r)
	if err = errors.Join(err, f.giveToOwner()); err != nil {
		return *r, err
	}
	err = f.checkRecords(ctx)
	r.Start = err == nil
	return *r, err
}

// giveToOwner changes the owner of repaired files to the owner of the data folder: root may have
// repaired a folder that Anchor uses as another user.
func (f folder) giveToOwner() error {
	folder, err := os.Stat(string(f))
	if err != nil {
		return fmt.Errorf("inspect the data folder: %w", err)
	}
	owner, ok := folder.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 || owner.Uid == 0 {
		return nil
	}
	for _, made := range []string{"lock", "anchor.db", "anchor.db-wal", "anchor.db-shm", "set-aside", "artifacts/set-aside"} {
		err := filepath.WalkDir(f.joinPath(filepath.FromSlash(made)), func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, int(owner.Uid), int(owner.Gid))
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("change the owner of the repaired files: %w", err)
		}
	}
	return nil
}

func (f folder) repairRecords(ctx context.Context, r *Repaired) error {
	checked := f.checkRecords(ctx)
	if checked == nil {
		return nil
	}
	if code := anchor.CodeOf(checked); code != "records_damaged" && code != "records_unknown" && code != "records_old" {
		return checked
	}
	known, err := sqlite.Inspect(ctx, f.recordsPath())
	ours, listErr := f.countKnown(known)
	if listErr != nil {
		return listErr
	}
	if err != nil || ours == 0 { // damaged, empty, or those of another folder
		if err := f.restoreCopy(ctx, r); err != nil {
			return err
		}
		if known, err = sqlite.Inspect(ctx, f.recordsPath()); err != nil {
			return err
		}
	}
	return f.adoptFound(ctx, known, r)
}

// restoreCopy sets the records aside and replaces them by the newest copy that is whole, if there
// is one.
func (f folder) restoreCopy(ctx context.Context, r *Repaired) error {
	if err := f.setRecordsAside(r); err != nil {
		return err
	}
	newest, err := f.newestCopy(ctx)
	if err != nil {
		return err
	}
	if newest != "" {
		if err := copyFile(newest, f.recordsPath()); err != nil {
			return err
		}
		r.addDone("Restored the records from %s.", newest)
		r.addLost("Changes made after that copy to variables, tokens, domains and the release history.")
		return nil
	}
	r.addLost("Variables, tokens, domains and the release history. Set up variables, tokens and domains again.")
	return nil
}

// setRecordsAside moves the file of the records and its log to a separate folder.
func (f folder) setRecordsAside(r *Repaired) error {
	aside := f.joinPath("set-aside", anchor.NewID())
	moved := false
	for _, suffix := range []string{"", "-wal", "-shm"} {
		path := f.recordsPath() + suffix
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.MkdirAll(aside, 0o700); err != nil {
			return fmt.Errorf("move the previous records: %w", err)
		}
		if err := os.Rename(path, filepath.Join(aside, filepath.Base(path))); err != nil {
			return fmt.Errorf("move the previous records: %w", err)
		}
		moved = true
	}
	if moved {
		r.addDone("Moved the previous records to %s.", aside)
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("restore a copy of the records: %w", err)
	}
	defer in.Close()
	if _, err := atomicfile.WriteFrom(to, in, 0o600); err != nil {
		return fmt.Errorf("restore a copy of the records: %w", err)
	}
	return nil
}

// adoptFound adds what the files show and the records do not know.
func (f folder) adoptFound(ctx context.Context, known sqlite.Contents, r *Repaired) error {
	unknown, err := f.listUnknown(known)
	if err != nil {
		return err
	}
	pointers, err := f.sitesFolder().Pointers()
	if err != nil {
		return err
	}
	projects, homeless := f.sortFound(unknown)
	for id, p := range pointers {
		if found, ok := projects[id]; ok {
			found.Live = p.Live
		} else if p.Revision > known.Revisions[id] && known.Revisions[id] > 0 {
			projects[id] = &sqlite.Found{Project: anchor.Project{ID: id}, Live: p.Live}
		}
	}
	store, err := sqlite.Open(ctx, f.recordsPath())
	if err != nil {
		return err
	}
	defer store.Close()
	for _, id := range slices.Sorted(maps.Keys(projects)) {
		left, err := f.adoptProject(ctx, store, *projects[id], known, r)
		if err != nil {
			return err
		}
		homeless = append(homeless, left...)
	}
	return f.setAside(ctx, homeless, r)
}

// sortFound sorts the unknown deployments by project. The rest are those without a known project and
// those that were not ready to serve.
func (f folder) sortFound(unknown []anchor.DeploymentID) (projects map[anchor.ProjectID]*sqlite.Found, rest []anchor.DeploymentID) {
	projects = map[anchor.ProjectID]*sqlite.Found{}
	for _, id := range unknown {
		d, err := f.sitesFolder().Description(id)
		recorded := d.Record.ID != ""
		if err != nil || d.Project == "" || recorded && !d.Ready {
			rest = append(rest, id)
			continue
		}
		p := projects[d.Project]
		if p == nil {
			p = &sqlite.Found{Project: ownerOf(d)}
			projects[d.Project] = p
		}
		record := recordOf(d)
		if f.isReduced(d) {
			now := time.Now()
			record.PrunedAt, record.AssetsUntil = now.UnixMilli(), now.Add(keepAssets).UnixMilli()
		}
		p.Deployments = append(p.Deployments, sqlite.FoundDeployment{Deployment: record, Sealed: d.Sealed})
	}
	return projects, rest
}

// isReduced reports whether a deployment was pruned except for its hashed files: nothing else is in
// its tree.
func (f folder) isReduced(d sites.Description) bool {
	entries, err := os.ReadDir(f.joinPath("artifacts", "trees", string(d.Deployment)))
	return err == nil && len(entries) == 1 && entries[0].Name() == d.Build.Assets
}

func ownerOf(d sites.Description) anchor.Project {
	p := d.Owner
	if p.ID == "" { // written by an older Anchor
		p = anchor.Project{ID: d.Project, Slug: d.Slug}
	}
	if p.ProductionBranch == "" {
		p.ProductionBranch = "main"
	}
	return p
}

// recordOf returns the record of a deployment that is ready to serve.
func recordOf(d sites.Description) anchor.Deployment {
	record := d.Record
	record.ID, record.ProjectID = d.Deployment, d.Project
	record.Status = anchor.Deployed
	if made, err := anchor.TimeOf(string(d.Deployment)); err == nil && record.CreatedAt == 0 {
		record.CreatedAt = made.UnixMilli()
	}
	record.DeployedAt = max(record.DeployedAt, record.CreatedAt)
	if record.Functions == nil {
		record.Functions = map[string]anchor.FunctionVersion{}
	}
	return record
}

// adoptProject adds a project and its deployments, and returns the deployments that
// could not be added.
func (f folder) adoptProject(
	ctx context.Context, store *sqlite.Store, found sqlite.Found, known sqlite.Contents, r *Repaired,
) ([]anchor.DeploymentID, error) {
	stored, err := store.Project(ctx, found.Project.ID)
	isNew := errors.Is(err, anchor.ErrNotFound)
	if err != nil && !isNew {
		return nil, err
	}
	if !isNew {
		found.Project = stored
	} else if other, err := store.ProjectBySlug(ctx, found.Project.Slug); err == nil {
		r.addLost("Project %s (%s), because another project (%s) has this name.", found.Project.Slug, found.Project.ID, other.ID)
		return idsOf(found), f.sitesFolder().DropPointer(found.Project.ID)
	}
	guessLive(&found, isNew)
	if _, err := store.Deployment(ctx, found.Live.Deployment); errors.Is(err, anchor.ErrNotFound) && !holdsDeployment(found, found.Live.Deployment) {
		found.Live = anchor.Live{}
	}
	if err := store.Adopt(ctx, found); err != nil {
		return nil, err
	}
	if isNew {
		r.addDone("Restored project %s.", found.Project.Slug)
	}
	for _, d := range found.Deployments {
		r.addDone("Restored deployment %s of %s.", d.ID, found.Project.Slug)
		if d.Sealed == nil && d.CanServe() {
			r.addLost("The variables of deployment %s, which now runs without any. Set them and deploy again.", d.ID)
		}
	}
	if found.Live.Revision > known.Revisions[found.Project.ID] {
		r.addDone("%s is live on %s.", found.Live.Deployment, found.Project.Slug)
	}
	return nil, nil
}

// guessLive makes the newest deployment live in a project whose live deployment is unknown.
func guessLive(f *sqlite.Found, isNew bool) {
	ready := slices.DeleteFunc(slices.Clone(f.Deployments), func(d sqlite.FoundDeployment) bool { return !d.CanServe() })
	if !isNew || f.Live.Deployment != "" || len(ready) == 0 {
		return
	}
	newest := slices.MaxFunc(ready, func(a, b sqlite.FoundDeployment) int { return a.Compare(b.Deployment) })
	f.Live = anchor.Live{ProjectID: f.Project.ID, Deployment: newest.ID, Version: newest.Version, Revision: 1, Order: newest.Order}
}

func holdsDeployment(f sqlite.Found, id anchor.DeploymentID) bool {
	return slices.Contains(idsOf(f), id)
}

func idsOf(f sqlite.Found) []anchor.DeploymentID {
	var ids []anchor.DeploymentID
	for _, d := range f.Deployments {
		ids = append(ids, d.ID)
	}
	return ids
}

// setAside moves deployments away for which no records can be rebuilt.
func (f folder) setAside(ctx context.Context, ids []anchor.DeploymentID, r *Repaired) error {
	if len(ids) == 0 {
		return nil
	}
	bundles, err := artifact.Open(f.joinPath("artifacts"))
	if err != nil {
		return err
	}
	defer bundles.Close()
	for _, id := range ids {
		aside, err := bundles.SetAside(ctx, id)
		if err != nil {
			return err
		}
		if err := f.sitesFolder().Remove(id); err != nil {
			return err
		}
		r.addLost("Deployment %s, because its project is unknown or it was never ready. Its files are in %s.", id, aside)
	}
	return nil
}
