package aws_test

import (
	"sync"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
	"github.com/anchor-deploy/anchor/internal/release"
)

// TestDeploy_TwoProcesses starts two concurrent deployments of one project. The newer request
// wins; the older one is superseded, or was live before.
func TestDeploy_TwoProcesses(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.deploy(t, twoFunctions("zero"))
	older, newer := s.artifact(t, twoFunctions("older")), s.artifact(t, twoFunctions("newer"))
	var both sync.WaitGroup
	var failed [2]error
	var records [2]anchor.Deployment
	for i, a := range []struct {
		p *aws.Platform
		d anchor.DeploymentID
	}{{s.process(t, s.Config()), older.Deployment.ID}, {s.process(t, s.Config()), newer.Deployment.ID}} {
		artifact := older
		if a.d == newer.Deployment.ID {
			artifact = newer
		}
		both.Go(func() {
			records[i] = platformtest.Prepare(t, a.p, artifact)
			_, failed[i] = s.releases(a.p).GoLive(t.Context(), records[i])
		})
	}
	both.Wait()
	if failed[1] != nil {
		t.Errorf("the newer request: %v", failed[1])
	}
	if failed[0] != nil && anchor.CodeOf(failed[0]) != release.SupersededCode {
		t.Errorf("the older request: %v", failed[0])
	}
	s.wantLive(t, records[1], "newer")
}

// TestRollback_ManyAtOnce lets several processes roll back and forth. Whichever wins, pointer,
// aliases and store agree in the end.
func TestRollback_ManyAtOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	one, two := s.deploy(t, twoFunctions("one")), s.deploy(t, twoFunctions("two"))
	processes := []*release.Service{
		s.releases(s.process(t, s.Config())), s.releases(s.process(t, s.Config())), s.releases(s.process(t, s.Config())),
	}
	var all sync.WaitGroup
	for i := range 12 {
		to := one
		if i%2 == 0 {
			to = two
		}
		all.Go(func() {
			_, err := processes[i%3].Rollback(t.Context(), s.project.ID, to.ID)
			if err != nil && anchor.KindOf(err) != anchor.KindConflict {
				t.Error(err)
			}
		})
	}
	all.Wait()
	live, err := s.store.Live(t.Context(), s.project.ID)
	must(t, err)
	if live.Deployment == one.ID {
		s.wantLive(t, one, "one")
	} else {
		s.wantLive(t, two, "two")
	}
}
