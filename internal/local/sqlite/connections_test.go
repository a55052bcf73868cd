package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/hooks"
	"github.com/anchor-deploy/anchor/internal/local/sqlite"
)

var _ hooks.Records = (*sqlite.Store)(nil)

func TestConnections(t *testing.T) {
	path := filepath.Join(t.TempDir(), "anchor.db")
	s, err := sqlite.Open(t.Context(), path)
	must(t, err)
	p := anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "shop", ProductionBranch: "main", CreatedAt: 1}
	must(t, s.CreateProject(t.Context(), p))
	c := anchor.Connection{
		Host: anchor.GitHub, Repository: "git@github.com:a/b.git", Name: "a/b", APIURL: "https://x", WatchPaths: []string{"a/**"}, AppID: 1, Install: 2,
		HasToken: true, DeployKey: "ssh-ed25519 A", HostKey: "h k", CreatedAt: 3, Problem: "p",
	}
	if _, _, err := s.Connection(t.Context(), p.ID); anchor.CodeOf(err) != "not_connected" {
		t.Errorf("without a connection: %v", err)
	}
	if err := s.PutConnection(t.Context(), "unknown", c, nil); anchor.KindOf(err) != anchor.KindNotFound {
		t.Errorf("the connection of an unknown project: %v", err)
	}
	must(t, s.PutConnection(t.Context(), p.ID, c, []byte{1, 0, 2}))
	must(t, s.ChangeConnection(t.Context(), p.ID, func(c *anchor.Connection) { c.Problem = "" }))
	c.Problem = ""
	d := anchor.Delivery{ProjectID: p.ID, ID: "one", Summary: "push main", Events: []byte("[]"), ReceivedAt: 4}
	for want := true; ; want = false {
		added, err := s.AddDelivery(t.Context(), d)
		must(t, err)
		if added != want {
			t.Errorf("a delivery is added: %t, want %t", added, want)
		}
		if !want {
			break
		}
	}
	pull := anchor.PullRequest{Number: 7, Title: "T", Branch: "x", Commit: "c", Fork: true, Closed: true, Approved: "c", UpdatedAt: 5, Comment: "9"}
	report := anchor.HostReport{Deployment: "d1", Commit: "c", Branch: "x", Pull: 7, ID: "8", State: "success", Done: true}
	must(t, s.PutPullRequest(t.Context(), p.ID, pull))
	must(t, s.PutReport(t.Context(), p.ID, report))
	must(t, s.PutReport(t.Context(), p.ID, anchor.HostReport{Deployment: "d2"}))

	must(t, s.Close())
	s = open(t, path) // all of it is durable
	got, sealed, err := s.Connection(t.Context(), p.ID)
	must(t, err)
	same(t, "connection", c, got)
	same(t, "secrets", []byte{1, 0, 2}, sealed)
	waiting, err := s.WaitingDeliveries(t.Context())
	must(t, err)
	d.Seq = waiting[0].Seq
	same(t, "waiting deliveries", []anchor.Delivery{d}, waiting)
	must(t, s.EndDelivery(t.Context(), d.Seq, "built"))
	waiting, err = s.WaitingDeliveries(t.Context())
	must(t, err)
	same(t, "waiting deliveries", []anchor.Delivery{}, waiting)
	pulls, err := s.PullRequests(t.Context(), p.ID)
	must(t, err)
	same(t, "pull requests", []anchor.PullRequest{pull}, pulls)
	reports, err := s.Reports(t.Context(), p.ID, false)
	must(t, err)
	same(t, "reports", []anchor.HostReport{{Deployment: "d2"}, report}, reports)
	reports, err = s.Reports(t.Context(), p.ID, true)
	must(t, err)
	same(t, "open reports", []anchor.HostReport{{Deployment: "d2"}}, reports)

	must(t, s.DeleteConnection(t.Context(), p.ID))
	if err := s.DeleteConnection(t.Context(), p.ID); anchor.CodeOf(err) != "not_connected" {
		t.Errorf("removing it again: %v", err)
	}
	all, err := s.Deliveries(t.Context(), p.ID, 10)
	must(t, err)
	same(t, "deliveries after the connection", []anchor.Delivery{}, all)
}

// TestConnections_KeepDeliveries fills the memory of deliveries: only processed ones are forgotten.
func TestConnections_KeepDeliveries(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "anchor.db"))
	p := anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "shop", ProductionBranch: "main"}
	must(t, s.CreateProject(t.Context(), p))
	for i := range 1010 {
		_, err := s.AddDelivery(t.Context(), anchor.Delivery{ProjectID: p.ID, ID: anchor.NewID(), Events: []byte("[]"), ReceivedAt: int64(i)})
		must(t, err)
		if i > 0 && i < 1005 { // the first is not processed
			must(t, s.EndDelivery(t.Context(), int64(i+1), "built"))
		}
	}
	all, err := s.Deliveries(t.Context(), p.ID, 2000)
	must(t, err)
	if len(all) != 1001 || all[0].ReceivedAt != 1009 || all[1000].ReceivedAt != 0 {
		t.Errorf("%d deliveries are left", len(all))
	}
	// They go with their project.
	must(t, s.DeleteProject(t.Context(), p.ID))
	all, err = s.Deliveries(t.Context(), p.ID, 10)
	must(t, err)
	same(t, "deliveries of a removed project", []anchor.Delivery{}, all)
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
