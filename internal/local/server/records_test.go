package server_test

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/server"
	"github.com/anchor-deploy/anchor/internal/local/sites"
	"github.com/anchor-deploy/anchor/internal/local/sqlite"
)

// used is a data folder with two deployments of a project, the second of which is live, and with an
// earlier copy of the records.
type used struct {
	server.Config
	project anchor.Project
	first   anchor.DeploymentID
	second  anchor.DeploymentID
}

func newUsed(t *testing.T) used {
	t.Helper()
	u := used{Config: config(t, t.TempDir())}
	_, down := up(t, u.Config)
	down()
	store := u.open(t)
	must(t, os.RemoveAll(u.path("backups")))
	must(t, store.Backup(t.Context(), sqlite.Backups(u.path("backups")), 2))
	u.project = anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "shop", ProductionBranch: "main", CreatedAt: 7}
	must(t, store.CreateProject(t.Context(), u.project))
	u.first, u.second = u.deployed(t, store, "v1"), u.deployed(t, store, "v2")
	must(t, store.Close())
	return u
}

func (u used) path(parts ...string) string {
	return filepath.Join(append([]string{u.Data}, parts...)...)
}

func (u used) open(t *testing.T) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), u.path("anchor.db"))
	must(t, err)
	return store
}

// deployed makes a deployment live, and leaves the files that a deploy leaves.
func (u used) deployed(t *testing.T, store *sqlite.Store, version string) anchor.DeploymentID {
	t.Helper()
	d := anchor.Deployment{
		ID: anchor.DeploymentID(anchor.NewID()), ProjectID: u.project.ID, Status: anchor.Deploying, Version: version,
		CommitSha: "c0ffee", Branch: "main", CreatedAt: 8,
	}
	must(t, store.CreateDeployment(t.Context(), d))
	d, err := store.Deployment(t.Context(), d.ID)
	must(t, err)
	u.write(t, u.path("platform", "sites", string(d.ID)+".json"), sites.Description{
		Deployment: d.ID, Project: u.project.ID, Slug: u.project.Slug, Owner: u.project, Record: d, Sealed: []byte("sealed"), Ready: true,
	})
	must(t, os.MkdirAll(u.path("artifacts", "trees", string(d.ID)), 0o755))
	d.Status = anchor.Deployed
	from, err := store.Live(t.Context(), u.project.ID)
	if anchor.KindOf(err) != anchor.KindNotFound {
		must(t, err)
	}
	live, err := store.Move(t.Context(), from, anchor.Release{
		ID: anchor.ReleaseID(anchor.NewID()), ProjectID: u.project.ID, Kind: anchor.ReleaseDeploy, Deployment: d.ID, Record: d.ID, Version: version,
	}, &d)
	must(t, err)
	u.write(t, u.path("platform", "lives", string(u.project.ID)+".json"), sites.Pointer{Live: live, Order: live.Order})
	return d.ID
}

func (u used) write(t *testing.T, path string, v any) {
	t.Helper()
	text, err := json.Marshal(v)
	must(t, err)
	must(t, os.WriteFile(path, text, 0o600))
}

// files lists everything in the folder except what SQLite creates for reading.
func (u used) files(t *testing.T) []string {
	t.Helper()
	var all []string
	must(t, filepath.WalkDir(u.Data, func(path string, _ os.DirEntry, err error) error {
		if !strings.HasSuffix(path, "-wal") && !strings.HasSuffix(path, "-shm") {
			all = append(all, path)
		}
		return err
	}))
	return all
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// losses are the ways in which records cease to match the files beside them.
var losses = map[string]struct {
	lose func(t *testing.T, u used)
	code string
}{
	"missing": {func(t *testing.T, u used) { must(t, os.Remove(u.path("anchor.db"))) }, "records_unknown"},
	"empty":   {func(t *testing.T, u used) { must(t, os.Truncate(u.path("anchor.db"), 0)) }, "records_unknown"},
	"older": {func(t *testing.T, u used) {
		copied, err := os.ReadFile(u.path("backups", "records-000001.db"))
		must(t, err)
		must(t, os.WriteFile(u.path("anchor.db"), copied, 0o600))
	}, "records_unknown"},
	"of another folder": {func(t *testing.T, u used) {
		other := newUsed(t)
		must(t, os.Rename(other.path("anchor.db"), u.path("anchor.db")))
	}, "records_unknown"},
	"garbage": {func(t *testing.T, u used) {
		must(t, os.WriteFile(u.path("anchor.db"), []byte(strings.Repeat("garbage ", 2000)), 0o600))
	}, "records_damaged"},
	"a folder": {func(t *testing.T, u used) {
		must(t, os.Remove(u.path("anchor.db")))
		must(t, os.Mkdir(u.path("anchor.db"), 0o700))
	}, "records_damaged"},
	"missing, and newer copies damaged": {func(t *testing.T, u used) {
		must(t, os.Remove(u.path("anchor.db")))
		must(t, os.WriteFile(u.path("backups", "records-000002.db"), nil, 0o600))
		must(t, os.WriteFile(u.path("backups", "records-000003.db"), []byte("garbage"), 0o600))
	}, "records_unknown"},
	"cut off": {func(t *testing.T, u used) { must(t, os.Truncate(u.path("anchor.db"), 3*4096)) }, "records_damaged"},
	"of before the last release": {func(t *testing.T, u used) {
		u.write(t, u.path("platform", "lives", string(u.project.ID)+".json"), sites.Pointer{
			Live: anchor.Live{ProjectID: u.project.ID, Deployment: u.first, Version: "v1", Revision: 3}, Order: 9,
		})
	}, "records_old"},
}

func TestRun_RefusesMismatchedRecords(t *testing.T) {
	for name, loss := range losses {
		t.Run(name, func(t *testing.T) {
			u := newUsed(t)
			loss.lose(t, u)
			before := u.files(t)
			c := u.Config
			c.Ready = func(server.Ready) { t.Error("it started") }
			err := server.Run(t.Context(), c)
			if anchor.CodeOf(err) != loss.code {
				t.Errorf("refused with %v (%s), want %s", err, anchor.CodeOf(err), loss.code)
			}
			for _, want := range []string{"records-000001.db", "anchor doctor --repair --data " + u.Data} {
				if !strings.Contains(anchor.HintOf(err), want) {
					t.Errorf("the hint %q does not name %s", anchor.HintOf(err), want)
				}
			}
			if after := u.files(t); !slices.Equal(before, after) {
				t.Errorf("the start changed the folder from\n%q to\n%q", before, after)
			}
		})
	}
}

func TestRepair(t *testing.T) {
	for name, loss := range losses {
		t.Run(name, func(t *testing.T) {
			u := newUsed(t)
			loss.lose(t, u)
			done, err := server.Repair(t.Context(), u.Data)
			must(t, err)
			if !done.Start || len(done.Done) == 0 {
				t.Errorf("repaired: %+v", done)
			}
			want := u.second
			if loss.code == "records_old" {
				want = u.first
			}
			store := u.open(t)
			live, err := store.Live(t.Context(), u.project.ID)
			if err != nil || live.Deployment != want {
				t.Errorf("live is %s, %v; want %s", live.Deployment, err, want)
			}
			for _, id := range []anchor.DeploymentID{u.first, u.second} {
				d, err := store.Deployment(t.Context(), id)
				if err != nil || d.Status != anchor.Deployed || d.CommitSha != "c0ffee" || !d.CanServe() {
					t.Errorf("deployment %s: %+v, %v", id, d, err)
				}
			}
			must(t, store.Close())
			again, err := server.Repair(t.Context(), u.Data)
			if err != nil || len(again.Done) != 0 || len(again.Lost) != 0 {
				t.Errorf("repaired again: %+v, %v", again, err)
			}
			r, _ := up(t, u.Config)
			if code, _ := status(t, r, readToken(t, r)); code != http.StatusOK {
				t.Errorf("after the repair the API answers %d", code)
			}
		})
	}
}

// TestRepair_WithoutCopy rebuilds them from the files alone, and sets aside deployments
// whose project is unknown.
func TestRepair_WithoutCopy(t *testing.T) {
	u := newUsed(t)
	must(t, os.Remove(u.path("anchor.db")))
	must(t, os.RemoveAll(u.path("backups")))
	stray := anchor.NewID()
	must(t, os.MkdirAll(u.path("artifacts", "trees", stray), 0o755))
	done, err := server.Repair(t.Context(), u.Data)
	must(t, err)
	if !strings.Contains(strings.Join(done.Lost, "\n"), stray) {
		t.Errorf("lost %q, and not a word of %s", done.Lost, stray)
	}
	if found, _ := filepath.Glob(u.path("artifacts", "set-aside", stray+".*", "tree")); len(found) != 1 {
		t.Errorf("set aside: %v", found)
	}
	store := u.open(t)
	defer store.Close()
	p, err := store.ProjectBySlug(t.Context(), "shop")
	if err != nil || p != u.project {
		t.Errorf("the project is %+v, %v; want %+v", p, err, u.project)
	}
	sealed, err := store.LockedEnv(t.Context(), u.second)
	if err != nil || string(sealed) != "sealed" {
		t.Errorf("the environment is %q, %v", sealed, err)
	}
	next := anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: p.ID, Status: anchor.Deploying}
	must(t, store.CreateDeployment(t.Context(), next))
	number, err := store.Number(t.Context(), next.ID)
	if err != nil || number != 3 {
		t.Errorf("the next number is %d, %v; want 3", number, err)
	}
	second, err := store.Deployment(t.Context(), u.second)
	must(t, err)
	if next, err = store.Deployment(t.Context(), next.ID); err != nil || !second.Before(next) {
		t.Errorf("the next deployment has the Order %d behind %d, %v", next.Order, second.Order, err)
	}
}

// TestRepair_PrunedDeployment adds a deployment of which only hashed files are left as pruned,
// and never makes it live.
func TestRepair_PrunedDeployment(t *testing.T) {
	u := newUsed(t)
	must(t, os.Remove(u.path("anchor.db")))
	must(t, os.RemoveAll(u.path("backups")))
	must(t, os.RemoveAll(u.path("platform", "lives")))
	pruned, err := sites.Folder(u.path("platform")).Description(u.second)
	must(t, err)
	pruned.Build.Assets = "assets"
	u.write(t, u.path("platform", "sites", string(u.second)+".json"), pruned)
	must(t, os.MkdirAll(u.path("artifacts", "trees", string(u.second), "assets", "_next"), 0o755))
	done, err := server.Repair(t.Context(), u.Data)
	if err != nil || !done.Start {
		t.Fatalf("repaired: %+v, %v", done, err)
	}
	store := u.open(t)
	defer store.Close()
	if d, err := store.Deployment(t.Context(), u.second); err != nil || d.CanServe() || !d.KeepsAssets(time.Now()) {
		t.Errorf("the pruned deployment is %+v, %v", d, err)
	}
	if live, err := store.Live(t.Context(), u.project.ID); err != nil || live.Deployment != u.first {
		t.Errorf("live is %s, %v; want %s", live.Deployment, err, u.first)
	}
}

func TestRepair_RefusesFolderInUse(t *testing.T) {
	c := config(t, t.TempDir())
	up(t, c)
	_, err := server.Repair(t.Context(), c.Data)
	if anchor.CodeOf(err) != "data_in_use" {
		t.Errorf("repaired under a running server: %v", err)
	}
	if _, err := server.Repair(t.Context(), filepath.Join(t.TempDir(), "none")); anchor.CodeOf(err) != "bad_data" {
		t.Errorf("repaired what is not there: %v", err)
	}
}

// TestRun_RemovesInterruptedUpload: it leaves a manifest, which is not a reason to refuse the folder.
func TestRun_RemovesInterruptedUpload(t *testing.T) {
	c := config(t, t.TempDir())
	_, down := up(t, c)
	down()
	manifest := filepath.Join(c.Data, "artifacts", "manifests", anchor.NewID()+".json")
	must(t, os.WriteFile(manifest, []byte(`{"files":[]}`), 0o600))
	_, down = up(t, c)
	down()
	if _, err := os.Stat(manifest); err != nil {
		t.Errorf("the start removed what it does not know: %v", err)
	}
}

// TestRun_RefusesWALWithoutRecords: SQLite deletes such a log, and with it records that are only there.
func TestRun_RefusesWALWithoutRecords(t *testing.T) {
	c := config(t, t.TempDir())
	must(t, os.MkdirAll(c.Data, 0o700))
	log := filepath.Join(c.Data, "anchor.db-wal")
	must(t, os.WriteFile(log, []byte("a log"), 0o600))
	wantRefused(t, c, anchor.KindConflict, "records_unknown")
	if _, err := os.Stat(log); err != nil {
		t.Errorf("the refusal removed the log: %v", err)
	}
}

// TestRun_AcceptsFilesOfDeletedProject when Anchor is killed before it has removed them.
func TestRun_AcceptsFilesOfDeletedProject(t *testing.T) {
	u := newUsed(t)
	store := u.open(t)
	must(t, store.DeleteProject(t.Context(), u.project.ID))
	must(t, store.Close())
	up(t, u.Config)
}

// TestRepair_WithoutKey refuses before it changes anything: a start would refuse the result. The
// command in the hint makes a key that both accept.
func TestRepair_WithoutKey(t *testing.T) {
	for name, lose := range map[string]func(path string) error{
		"missing":   os.Remove,
		"truncated": func(path string) error { return os.Truncate(path, 5) },
	} {
		t.Run(name, func(t *testing.T) {
			u := newUsed(t)
			must(t, os.Remove(u.path("anchor.db")))
			must(t, lose(u.path("secret.key")))
			before := u.files(t)
			_, err := server.Repair(t.Context(), u.Data)
			if code := anchor.CodeOf(err); code != "key_missing" && code != "key_damaged" {
				t.Fatalf("repaired: %v (%s)", err, code)
			}
			if after := u.files(t); !slices.Equal(before, after) {
				t.Errorf("the repair changed the folder from\n%q to\n%q", before, after)
			}
			hint := strings.Split(anchor.HintOf(err), "\n")
			out, err := exec.CommandContext(t.Context(), "/bin/sh", "-c", hint[len(hint)-1]).CombinedOutput()
			if err != nil {
				t.Fatalf("the command of the hint %q: %v\n%s", hint, err, out)
			}
			_, err = server.Repair(t.Context(), u.Data)
			must(t, err)
			up(t, u.Config)
		})
	}
}

// TestRepair_ByRoot leaves nothing in another user's folder that this user cannot write.
func TestRepair_ByRoot(t *testing.T) {
	u := newUsed(t)
	owner := chownAll(t, u.Data)
	must(t, os.WriteFile(u.path("anchor.db"), []byte(strings.Repeat("garbage ", 2000)), 0o600))
	_, err := server.Repair(t.Context(), u.Data)
	must(t, err)
	must(t, filepath.WalkDir(u.Data, func(path string, entry fs.DirEntry, err error) error {
		must(t, err)
		info, err := entry.Info()
		must(t, err)
		if got := info.Sys().(*syscall.Stat_t).Uid; got != owner { //nolint:forcetypeassert // Unix
			t.Errorf("%s belongs to %d, not to %d", path, got, owner)
		}
		return nil
	}))
}

// chownAll changes the owner of a folder to another user if we may, and returns the owner.
func chownAll(t *testing.T, dir string) uint32 {
	t.Helper()
	owner := os.Geteuid()
	if owner == 0 {
		owner = 65534
	}
	must(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		must(t, err)
		return os.Lchown(path, owner, -1)
	}))
	return uint32(owner) //nolint:gosec // a user id
}

func TestRepair_NewFolder(t *testing.T) {
	c := config(t, t.TempDir())
	must(t, os.Mkdir(c.Data, 0o700))
	done, err := server.Repair(t.Context(), c.Data)
	if err != nil || len(done.Done)+len(done.Lost) != 0 || !done.Start {
		t.Errorf("repaired: %+v, %v", done, err)
	}
}
