package platformtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/release"
)

func prepareWithoutCommit(t *testing.T, s *stand) {
	one, _ := s.deployLive(t, "one")
	two, _ := s.deployLive(t, "two")
	_, err := s.prepareSwitch(t, s.recordOf(t, one.Deployment.ID))
	must(t, err)
	s.wantPage(t, s.siteHost(), "/", "two")
	s.wantPage(t, s.siteHost(), "/public.txt", "public of two")

	none := errors.New("no target")
	_, err = s.Platform.Prepare(t.Context(), s.project.ID, func(context.Context) (anchor.Deployment, error) {
		return anchor.Deployment{}, none
	})
	if !errors.Is(err, none) {
		t.Errorf("Prepare returns %v, want the error of its target", err)
	}
	s.wantPage(t, s.siteHost(), "/", "two")

	// Nothing of a dropped Switch is in the way of the next releases.
	s.deployLive(t, "three")
	s.wantPage(t, s.siteHost(), "/", "three")
	_, err = s.releases.Rollback(t.Context(), s.project.ID, two.Deployment.ID)
	must(t, err)
	s.wantPage(t, s.siteHost(), "/", "two")
}

func twoPreparesOneCommit(t *testing.T, s *stand) {
	one, two := s.liveRecord(t, "one"), s.liveRecord(t, "two")
	toOne, err := s.prepareSwitch(t, one)
	must(t, err)
	_, err = s.prepareSwitch(t, two)
	must(t, err)
	live := s.movePointer(t, one)
	for range 2 { // it is idempotent
		must(t, toOne.Commit(t.Context(), live))
		s.wantPage(t, s.siteHost(), "/", "one")
		s.wantPage(t, s.siteHost(), "/public.txt", "public of one")
	}
}

// staleSwitch has another release between a Prepare and its Commit.
func staleSwitch(t *testing.T, s *stand) {
	one, two := s.liveRecord(t, "one"), s.liveRecord(t, "two")
	toOne, err := s.prepareSwitch(t, one)
	must(t, err)
	toTwo, err := s.prepareSwitch(t, two)
	must(t, err)
	must(t, toOne.Commit(t.Context(), s.movePointer(t, one)))
	s.wantPage(t, s.siteHost(), "/", "one")
	must(t, toTwo.Commit(t.Context(), s.movePointer(t, two)))
	s.wantPage(t, s.siteHost(), "/", "two")
}

// lateSwitch commits in another order than the pointer moved.
func lateSwitch(t *testing.T, s *stand) {
	one, two := s.liveRecord(t, "one"), s.liveRecord(t, "two")
	toOne, err := s.prepareSwitch(t, one)
	must(t, err)
	toTwo, err := s.prepareSwitch(t, two)
	must(t, err)
	older := s.movePointer(t, one)
	newer := s.movePointer(t, two)
	must(t, toTwo.Commit(t.Context(), newer))
	must(t, toOne.Commit(t.Context(), older))
	s.wantPage(t, s.siteHost(), "/", "two")
}

// prepareSwitch prepares the switch to a deployment.
func (s *stand) prepareSwitch(t *testing.T, d anchor.Deployment) (release.Switch, error) {
	t.Helper()
	return s.Platform.Prepare(t.Context(), s.project.ID, func(context.Context) (anchor.Deployment, error) { return d, nil })
}

// movePointer moves the pointer to a deployment, and no traffic.
func (s *stand) movePointer(t *testing.T, d anchor.Deployment) anchor.Live {
	t.Helper()
	from, err := s.Records.Live(t.Context(), s.project.ID)
	must(t, err)
	live, err := s.Records.Move(t.Context(), from, anchor.Release{
		ID: anchor.ReleaseID(anchor.NewID()), ProjectID: s.project.ID, Kind: anchor.ReleasePromote,
		Deployment: d.ID, From: from.Deployment, Record: d.ID, Version: d.Version, CreatedAt: time.Now().UnixMilli(),
	}, nil)
	must(t, err)
	return live
}

// liveRecord deploys the app of a version, makes it live and returns its record.
func (s *stand) liveRecord(t *testing.T, version string) anchor.Deployment {
	t.Helper()
	a, _ := s.deployLive(t, version)
	return s.recordOf(t, a.Deployment.ID)
}

func (s *stand) recordOf(t *testing.T, id anchor.DeploymentID) anchor.Deployment {
	t.Helper()
	d, err := s.Records.Deployment(t.Context(), id)
	must(t, err)
	return d
}
