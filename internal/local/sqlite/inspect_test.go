package sqlite_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/sqlite"
)

// records creates a file of records with a project and some deployments.
func records(t *testing.T, path, slug string, deployments int) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path)
	must(t, err)
	p := anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: slug, ProductionBranch: "main"}
	must(t, s.CreateProject(t.Context(), p))
	for range deployments {
		must(t, s.CreateDeployment(t.Context(), anchor.Deployment{
			ID: anchor.DeploymentID(anchor.NewID()), ProjectID: p.ID, Status: anchor.Deployed, CommitMessage: string(make([]byte, 3000)),
		}))
	}
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// copyOf copies the file of records, which must not be open, or its log.
func copyOf(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, content, 0o600))
}

func TestInspect_DamagedFile(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.db")
	must(t, records(t, good, "shop", 50).Close())
	content, err := os.ReadFile(good)
	must(t, err)
	page := append([]byte{}, content...)
	for i := 3 * 4096; i < 5*4096; i++ {
		page[i] ^= 0xa5
	}
	for name, damaged := range map[string][]byte{
		"garbage":          page[3*4096 : 5*4096],
		"a damaged page":   page,
		"cut at a page":    content[:4*4096],
		"cut in a page":    content[:len(content)-1000],
		"a header of ours": content[:100],
		"another text":     []byte("not a database at all"),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "records.db")
			must(t, os.WriteFile(path, damaged, 0o600))
			_, err := sqlite.Inspect(t.Context(), path)
			if code := anchor.CodeOf(err); code != "records_damaged" {
				t.Errorf("inspected with %q (%v), want records_damaged", code, err)
			}
			after, err := os.ReadFile(path)
			must(t, err)
			if string(after) != string(damaged) {
				t.Error("the look changed the file")
			}
		})
	}
}

// TestInspect_LogOfAnotherFile: SQLite applies a log to whatever file is beside it.
func TestInspect_LogOfAnotherFile(t *testing.T) {
	dir := t.TempDir()
	ours, other := filepath.Join(dir, "ours.db"), filepath.Join(dir, "other.db")
	must(t, records(t, ours, "shop", 60).Close())
	running := records(t, other, "blog", 20)
	copyOf(t, other+"-wal", ours+"-wal")
	must(t, running.Close())
	known, err := sqlite.Inspect(t.Context(), ours)
	if err == nil && len(known.Deployments) == 60 {
		t.Error("the log of another file went unnoticed")
	}
}

// TestInspect_RetiredProject finds the deployments and the revision of a project that is being
// removed: the files beside the records still show them.
func TestInspect_RetiredProject(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	s := records(t, path, "shop", 2)
	list, err := s.Projects(t.Context(), anchor.Page{})
	must(t, err)
	p := list.Items[0].ID
	live, err := deployOne(t.Context(), s, p)
	must(t, err)
	must(t, s.RetireProject(t.Context(), p))
	must(t, s.Close())
	known, err := sqlite.Inspect(t.Context(), path)
	must(t, err)
	if len(known.Deployments) != 3 || !known.Deployments[live.Deployment] || known.Revisions[p] != live.Revision {
		t.Errorf("it finds %v and revision %d, want 3 deployments and revision %d", known.Deployments, known.Revisions[p], live.Revision)
	}
}

func TestInspect_DeletedProject(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	s := records(t, path, "shop", 2)
	list, err := s.Projects(t.Context(), anchor.Page{})
	must(t, err)
	must(t, s.DeleteProject(t.Context(), list.Items[0].ID))
	must(t, s.Close())
	known, err := sqlite.Inspect(t.Context(), path)
	must(t, err)
	if len(known.Deployments) != 2 {
		t.Errorf("knows %d deployments, want 2", len(known.Deployments))
	}
	for id := range known.Deployments {
		again, err := sqlite.Open(t.Context(), path)
		must(t, err)
		removed, err := again.Removed(t.Context(), id)
		must(t, again.Close())
		if !removed || err != nil {
			t.Errorf("removed %v, %v", removed, err)
		}
	}
}

func TestStore_Backup_KeepsTheNewest(t *testing.T) {
	dir := t.TempDir()
	s := records(t, filepath.Join(dir, "records.db"), "shop", 3)
	defer s.Close()
	backups := sqlite.Backups(filepath.Join(dir, "backups"))
	if path, _, err := backups.Newest(); path != "" || err != nil {
		t.Errorf("before the first: %q, %v", path, err)
	}
	for range 4 {
		must(t, s.Backup(t.Context(), backups, 2))
	}
	all, err := backups.All()
	must(t, err)
	newest, _, err := backups.Newest()
	must(t, err)
	if len(all) != 2 || all[0] != newest || filepath.Base(newest) != "records-000004.db" {
		t.Errorf("kept %v, the newest is %s", all, newest)
	}
	info, err := os.Stat(newest)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the copy has the mode %v", info.Mode())
	}
	must(t, os.WriteFile(filepath.Join(string(backups), "before-upgrade-from-schema-1.db"), []byte("x"), 0o600))
	must(t, os.Chtimes(filepath.Join(string(backups), "before-upgrade-from-schema-1.db"), time.Unix(1, 0), time.Unix(1, 0)))
	list, err := backups.List()
	if err != nil || len(list) != 3 || list[0].Name != "records-000004.db" || list[0].Bytes == 0 || !list[2].Upgrade || list[2].MadeAt != 1000 {
		t.Errorf("the list is %+v, %v", list, err)
	}
	known, err := sqlite.Inspect(t.Context(), newest)
	if err != nil || len(known.Deployments) != 3 {
		t.Errorf("the copy knows %d deployments, %v", len(known.Deployments), err)
	}
}
