package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/sqlite"
	"github.com/anchor-deploy/anchor/internal/testleak"
)

// crashFile names, in the environment of the child, the records it works on.
const crashFile = "ANCHOR_TEST_CRASH_FILE"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashFile); path != "" {
		fmt.Fprintln(os.Stderr, releaseOnAndOn(path))
		os.Exit(1)
	}
	testleak.Main(m)
}

// releaseOnAndOn deploys and rolls back without end and prints the revision of each.
func releaseOnAndOn(path string) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	projects, err := s.Projects(ctx, anchor.Page{})
	if err != nil {
		return err
	}
	p := projects.Items[0].ID
	for {
		for _, one := range []func(context.Context, *sqlite.Store, anchor.ProjectID) (anchor.Live, error){deployOne, rollBackOne} {
			live, err := one(ctx, s, p)
			if err != nil {
				return err
			}
			fmt.Println(live.Revision)
		}
	}
}

func deployOne(ctx context.Context, s *sqlite.Store, p anchor.ProjectID) (anchor.Live, error) {
	d := anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: p, Status: anchor.Deploying}
	if err := s.CreateDeployment(ctx, d); err != nil {
		return anchor.Live{}, err
	}
	n, err := s.Number(ctx, d.ID)
	if err != nil {
		return anchor.Live{}, err
	}
	for range 5 {
		if _, err := s.Append(ctx, anchor.Event{DeploymentID: d.ID, Phase: anchor.StepNote}); err != nil {
			return anchor.Live{}, err
		}
	}
	d.Status, d.Version = anchor.Deployed, strconv.FormatInt(n, 10)
	return move(ctx, s, d.ID, d)
}

func rollBackOne(ctx context.Context, s *sqlite.Store, p anchor.ProjectID) (anchor.Live, error) {
	kept, err := s.Kept(ctx, p)
	if err != nil {
		return anchor.Live{}, err
	}
	return move(ctx, s, kept[len(kept)-1].ID, anchor.Deployment{
		ID: anchor.DeploymentID(anchor.NewID()), ProjectID: p, Status: anchor.Deployed,
		IsRollback: true, RollbackTo: kept[len(kept)-1].ID,
	})
}

func move(ctx context.Context, s *sqlite.Store, to anchor.DeploymentID, record anchor.Deployment) (anchor.Live, error) {
	from, err := s.Live(ctx, record.ProjectID)
	if err != nil && anchor.KindOf(err) != anchor.KindNotFound {
		return anchor.Live{}, err
	}
	return s.Move(ctx, from, anchor.Release{
		ID: anchor.ReleaseID(anchor.NewID()), ProjectID: record.ProjectID, Kind: anchor.ReleaseDeploy,
		Deployment: to, From: from.Deployment, Record: record.ID,
	}, &record)
}

func TestStore_KilledDuringReleases(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	p := anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "shop"}
	s := open(t, path)
	if err := s.CreateProject(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 12 {
		promised := killChild(t, path)
		s := open(t, path)
		agree(t, s, p.ID, promised)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killChild lets a child release until it has promised a random number of revisions, kills it a
// random moment later and returns the last one promised.
func killChild(t *testing.T, path string) (promised int64) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashFile+"="+path)
	var complaint strings.Builder
	child.Stderr = &complaint
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines, wanted := bufio.NewScanner(out), 1+rand.IntN(15)
	for got := 0; lines.Scan(); {
		promised = number(t, lines.Text())
		if got++; got == wanted {
			time.Sleep(rand.N(8 * time.Millisecond))
			if err := child.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	if err := child.Wait(); err == nil || complaint.Len() > 0 || promised == 0 {
		t.Fatalf("the child promised revision %d and ended with %v: %s", promised, err, complaint.String())
	}
	return promised
}

func number(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// agree fails the test unless pointer, releases, records and journal show the same moves, the
// promised ones among them.
func agree(t *testing.T, s *sqlite.Store, p anchor.ProjectID, promised int64) {
	t.Helper()
	live, err := s.Live(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if live.Revision < promised || live.Revision > promised+1 {
		t.Errorf("the pointer is at revision %d, promised was %d", live.Revision, promised)
	}
	released := map[anchor.DeploymentID]bool{}
	expect := live.Revision
	for _, r := range everything(t, s.Releases, p) {
		if r.Revision != expect {
			t.Errorf("release %s has revision %d, want %d", r.ID, r.Revision, expect)
		}
		if r.Revision == live.Revision && (r.ID != live.Release || r.Deployment != live.Deployment || r.Record != live.Record) {
			t.Errorf("the pointer %+v is not the last release %+v", live, r)
		}
		expect--
		released[r.Record] = true
	}
	if expect != 0 {
		t.Errorf("the releases from revision %d down are missing", expect)
	}
	for _, d := range everything(t, s.Deployments, p) {
		if (d.Status == anchor.Deployed) != released[d.ID] {
			t.Errorf("deployment %s is %s, released: %v", d.ID, d.Status, released[d.ID])
		}
		delete(released, d.ID)
		checkJournal(t, s, d)
	}
	if len(released) > 0 {
		t.Errorf("releases without their records: %v", released)
	}
}

func checkJournal(t *testing.T, s *sqlite.Store, d anchor.Deployment) {
	t.Helper()
	events, err := s.Events(t.Context(), d.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range events {
		if e.Seq != int64(i+1) {
			t.Errorf("event %d of %s has the number %d", i+1, d.ID, e.Seq)
		}
	}
	if d.Status == anchor.Deployed && !d.IsRollback && len(events) != 5 {
		t.Errorf("deployment %s is deployed with %d events, want 5", d.ID, len(events))
	}
}

func everything[T any](t *testing.T, list func(context.Context, anchor.ProjectID, anchor.Page) (anchor.List[T], error), p anchor.ProjectID) (all []T) {
	t.Helper()
	page := anchor.Page{Limit: anchor.MaxPage}
	for {
		got, err := list(t.Context(), p, page)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, got.Items...)
		if page.Cursor = got.Next; page.Cursor == "" {
			return all
		}
	}
}
