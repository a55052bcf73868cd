package lambda_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/aws/lambda"
)

const round = `{"reconcile": true}`

// TestUpkeep_RemovesProject: the API answers at once, and nothing can be added to the
// project from then on; AWS takes longer.
func TestUpkeep_RemovesProject(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	waiting := s.upload()
	s.cloud.busy = 2
	var shown wire.Project
	got := s.call("api", "DELETE", "/projects/shop", "", nil, &shown)
	if got.StatusCode != 202 || !shown.Removing || len(s.cloud.removed) != 0 {
		t.Fatalf("it is answered %d: %s", got.StatusCode, got.Body)
	}
	if want := []anchor.DeploymentID{""}; !slices.Equal(s.dispatched, want) {
		t.Errorf("dispatched %q", s.dispatched)
	}
	wantProblem(t, s.call("api", "POST", "/projects/shop/builds", `{"repository":"https://git.example/shop"}`, nil, nil), 404, "project_removing")
	wantProblem(t, s.call("api", "POST", "/projects", `{"slug":"shop"}`, nil, nil), 409, "slug_taken")
	if again := s.call("api", "DELETE", "/projects/shop", "", nil, nil); again.StatusCode != 202 {
		t.Errorf("once more it is answered %d: %s", again.StatusCode, again.Body)
	}

	_, err := s.event(t.Context(), "deploy", lambda.DeployEvent{ProjectID: p.ID})
	must(t, err)
	s.wantStatus(waiting, anchor.Canceled)
	for range 2 {
		s.call("api", "GET", "/projects/shop", "", nil, &shown)
		_, err := s.event(t.Context(), "deploy", round)
		must(t, err)
	}
	wantProblem(t, s.call("api", "GET", "/projects/shop", "", nil, nil), 404, "unknown_project")
	if !slices.Equal(s.cloud.removed, []anchor.ProjectID{p.ID}) {
		t.Errorf("removed were %v", s.cloud.removed)
	}
	_, err = s.event(t.Context(), "deploy", lambda.DeployEvent{ProjectID: p.ID}) // Lambda may deliver it twice
	must(t, err)
	s.newProject()
}

// A project that nobody deletes is not removed by any event.
func TestUpkeep_RemovesRetiredProjectsOnly(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	_, err := s.event(t.Context(), "deploy", lambda.DeployEvent{ProjectID: p.ID})
	must(t, err)
	_, err = s.event(t.Context(), "deploy", round)
	must(t, err)
	if len(s.cloud.removed) != 0 {
		t.Errorf("removed were %v", s.cloud.removed)
	}
	s.call("api", "GET", "/projects/shop", "", nil, &wire.Project{})
}

// TestUpkeep_RemovalWaitsForPass asserts that a removal waits for a running deployment of the project,
// which is canceled.
func TestUpkeep_RemovalWaitsForPass(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	id := s.finished()
	s.call("api", "DELETE", "/projects/shop", "", nil, nil)
	_, free, err := s.leases.Lease(t.Context(), p.ID+"/deploy", "a pass", time.Minute)
	must(t, err)
	_, err = s.event(t.Context(), "deploy", round)
	must(t, err)
	s.wantStatus(id, anchor.Canceled)
	if len(s.cloud.removed) != 0 {
		t.Fatal("it was removed beside a pass")
	}
	must(t, free(t.Context()))
	_, err = s.event(t.Context(), "deploy", round)
	must(t, err)
	if len(s.cloud.removed) != 1 {
		t.Error("it is not removed after the pass")
	}
}

// TestDeployer_CanceledDeploymentIsRemoved: the API has neither the time nor the permission to
// remove what a canceled deployment has.
func TestDeployer_CanceledDeploymentIsRemoved(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	id := s.upload()
	var d wire.Deployment
	s.call("api", "POST", fmt.Sprintf("/projects/shop/deployments/%s/cancel", id), "", nil, &d)
	if d.Status != anchor.Canceled || !slices.Equal(s.dispatched, []anchor.DeploymentID{id}) {
		t.Fatalf("it is %s, dispatched %v", d.Status, s.dispatched)
	}
	if _, err := s.artifacts.Manifest(t.Context(), id); err != nil {
		t.Fatalf("its manifest went with the request: %v", err)
	}
	_, err := s.event(t.Context(), "deploy", lambda.DeployEvent{DeploymentID: id, ProjectID: p.ID})
	must(t, err)
	if _, err := s.artifacts.Manifest(t.Context(), id); !errors.Is(err, anchor.ErrNotFound) {
		t.Errorf("its manifest is still there: %v", err)
	}
}

// manifest stores the manifest of a deployment whose id is that old.
func (s *stand) manifest(ago time.Duration) anchor.DeploymentID {
	s.t.Helper()
	id := anchor.DeploymentID(strings.ToLower(ulid.MustNew(ulid.Timestamp(time.Now().Add(-ago)), rand.Reader).String()))
	m := artifact.Manifest{Files: []artifact.File{{Path: "a", Digest: artifact.DigestOf([]byte("a")), Size: 1}}}
	must(s.t, s.artifacts.SaveManifest(s.t.Context(), id, m))
	must(s.t, s.artifacts.Put(s.t.Context(), m.Files[0].Digest, 1, bytes.NewReader([]byte("a"))))
	return id
}

// TestUpkeep_Sweep asserts that the sweep removes, once a day, what interrupted removals left.
func TestUpkeep_Sweep(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	record := func(status anchor.Status, prunedAt int64) anchor.DeploymentID {
		id := s.manifest(time.Hour)
		must(t, s.store.CreateDeployment(t.Context(), anchor.Deployment{ID: id, ProjectID: p.ID, Status: status, PrunedAt: prunedAt, CreatedAt: time.Now().UnixMilli()}))
		return id
	}
	gone := []anchor.DeploymentID{record(anchor.Deployed, 1), record(anchor.DeployFailed, 0), record(anchor.Canceled, 0)}
	stay := []anchor.DeploymentID{record(anchor.Deployed, 0), record(anchor.Building, 0)}

	_, free, err := s.leases.Lease(t.Context(), p.ID+"/deploy", "a pass", time.Minute)
	must(t, err)
	_, err = s.event(t.Context(), "deploy", round)
	must(t, err)
	s.wantManifests(slices.Concat(stay, gone)) // the project is busy: it is retried in a minute
	must(t, free(t.Context()))
	for range 2 {
		_, err := s.event(t.Context(), "deploy", round)
		must(t, err)
	}
	s.wantManifests(stay)
	if s.cloud.swept != 2 {
		t.Errorf("after it had done all it went on: the platform was swept %d times", s.cloud.swept)
	}
}

// TestUpkeep_SweepRemovesRecordedOnly: the tables may be empty, restored to an earlier time,
// or another installation's, while what they should contain is live.
func TestUpkeep_SweepRemovesRecordedOnly(t *testing.T) {
	s := newStand(t)
	other := anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "gone"}
	must(t, s.store.CreateProject(t.Context(), other))
	record := func() anchor.DeploymentID {
		id := s.manifest(48 * time.Hour)
		must(t, s.store.CreateDeployment(t.Context(), anchor.Deployment{ID: id, ProjectID: other.ID, Status: anchor.Deployed}))
		return id
	}
	removed := []anchor.DeploymentID{record(), record()}
	must(t, s.store.DeleteProject(t.Context(), other.ID))
	doctor := func() (check wire.Check) {
		var checks struct{ Items []wire.Check }
		s.call("api", "GET", "/doctor", "", nil, &checks)
		for _, c := range checks.Items {
			if c.Name == "artifacts" {
				check = c
			}
		}
		return check
	}
	if c := doctor(); !c.OK {
		t.Errorf("with files that a sweep is about to remove doctor says %+v", c)
	}
	unknown := []anchor.DeploymentID{s.manifest(time.Hour), s.manifest(48 * time.Hour), s.manifest(1000 * time.Hour)}
	s.wantManifests(slices.Concat(removed, unknown))

	_, err := s.event(t.Context(), "deploy", round)
	must(t, err)
	s.wantManifests(unknown)
	for _, id := range unknown {
		if n, err := s.artifacts.Missing(t.Context(), id); err != nil || len(n) != 0 {
			t.Errorf("of %s the contents %v are gone, %v", id, n, err)
		}
	}
	if c := doctor(); c.OK || !strings.Contains(c.Detail, ": 3;") || !strings.Contains(c.Hint, "point-in-time") {
		t.Errorf("doctor says %+v", c)
	}
	if !strings.Contains(s.log.String(), `"deployments":3`) {
		t.Errorf("the log does not say what is unknown: %s", s.log.String())
	}
}

func (s *stand) wantManifests(want []anchor.DeploymentID) {
	s.t.Helper()
	got, err := s.artifacts.IDs(s.t.Context())
	must(s.t, err)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		s.t.Errorf("there are manifests of %v, want %v", got, want)
	}
}

// An error that occurs each time is logged, and not repeated each minute.
func TestUpkeep_SweepFails(t *testing.T) {
	s := newStand(t)
	s.cloud.sweepErr = anchor.Failed("access_denied", "the role may not s3:ListBucket")
	if _, err := s.event(t.Context(), "deploy", round); anchor.CodeOf(err) != "access_denied" {
		t.Errorf("the round ends with %v", err)
	}
	_, err := s.event(t.Context(), "deploy", round)
	must(t, err)
	if s.cloud.swept != 1 {
		t.Errorf("swept %d times", s.cloud.swept)
	}
}

// TestUpkeep_SweepOutOfTime asserts that it leaves the rest to the next round.
func TestUpkeep_SweepOutOfTime(t *testing.T) {
	s := newStand(t)
	s.newProject()
	short, cancel := context.WithTimeout(t.Context(), 20*time.Second) // less than the margins
	defer cancel()
	_, err := s.event(short, "deploy", round)
	must(t, err)
	if s.cloud.swept != 0 {
		t.Error("it swept without time for it")
	}
	_, err = s.event(t.Context(), "deploy", round)
	must(t, err)
	if s.cloud.swept != 1 {
		t.Errorf("with time it swept %d times", s.cloud.swept)
	}
}
