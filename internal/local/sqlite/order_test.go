package sqlite

import (
	"database/sql"
	"path/filepath"
	"slices"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// TestOpen_Upgrade_AssignsOrders upgrades records from before there was an Order. Deployment "b"
// was accepted after "c", by a clock that had been set back, and the promote came between "a" and
// "c".
func TestOpen_Upgrade_AssignsOrders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	old, err := openPool(path, 1, "synchronous(FULL)", "rwc")
	if err != nil {
		t.Fatal(err)
	}
	if err := migrateSchema(t.Context(), old, migrations[:2]); err != nil {
		t.Fatal(err)
	}
	fill(t, old, `INSERT INTO projects (id, slug, production_branch, created_at) VALUES ('p', 'shop', 'main', 1)`,
		`INSERT INTO deployments (id, project_id, record) VALUES
			('a', 'p', '{"deploymentId":"a","projectId":"p","status":"deployed","version":"v1","isRollback":false}'),
			('c', 'p', '{"deploymentId":"c","projectId":"p","status":"superseded","version":"v2","isRollback":false,"createdAt":7}'),
			('b', 'p', '{"deploymentId":"b","projectId":"p","status":"deploying","version":"","isRollback":false}')`,
		`INSERT INTO releases (project_id, revision, id, kind, deployment_id, from_id, record_id, version, request, created_at) VALUES
			('p', 1, 'r1', 'deploy', 'a', '', 'a', 'v1', 'a', 1),
			('p', 2, 'r2', 'promote', 'a', 'a', 'a', 'v1', 'aa', 1)`)

	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	list, err := s.Deployments(t.Context(), "p", anchor.Page{})
	if err != nil {
		t.Fatal(err)
	}
	order := map[anchor.DeploymentID]int64{}
	for _, d := range list.Items {
		order[d.ID] = d.Order
	}
	live, err := s.Live(t.Context(), "p")
	if err != nil {
		t.Fatal(err)
	}
	if all := []int64{0, order["a"], live.Order, order["c"], order["b"]}; !slices.IsSorted(all) || len(slices.Compact(all)) != 5 {
		t.Errorf("deployments %v, the promote %d; want a, the promote, c, b", order, live.Order)
	}
	next := anchor.Deployment{ID: "0", ProjectID: "p", Status: anchor.Building}
	if err := s.CreateDeployment(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if next, err = s.Deployment(t.Context(), "0"); err != nil || next.Order <= order["b"] {
		t.Errorf("the next deployment has the Order %d after %d, %v", next.Order, order["b"], err)
	}
	kept, err := s.Kept(t.Context(), "p")
	if err != nil || len(kept) != 1 || kept[0].ID != "a" {
		t.Errorf("kept %v, %v; want a: the files of what was superseded then are gone", kept, err)
	}
	if c, err := s.Deployment(t.Context(), "c"); err != nil || c.PrunedAt == 0 {
		t.Errorf("superseded before: %+v, %v; want it pruned", c, err)
	}
}

func fill(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
