package aws_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/dynamo"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
	"github.com/anchor-deploy/anchor/internal/release"
)

var errKilled = errors.New("the process was killed")

// mortal is the network of a process that is killed at its n-th call: no later call is sent. With
// after set, the n-th call itself still reaches AWS.
type mortal struct {
	wire  *awstest.Wire
	n     int
	after bool

	mu   sync.Mutex
	seen int
}

func (m *mortal) Do(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	m.seen++
	seen := m.seen
	m.mu.Unlock()
	switch {
	case m.n == 0 || seen < m.n:
		return m.wire.Do(r)
	case seen == m.n && m.after:
		if res, err := m.wire.Do(r); err == nil {
			res.Body.Close()
		}
	}
	return nil, errKilled
}

// rollbackAs rolls back in a process of its own that lives for n calls, or forever if n is 0. It
// returns the number of calls made.
func (s *shop) rollbackAs(t *testing.T, to anchor.DeploymentID, n int, after bool) (calls int, err error) {
	t.Helper()
	net := &mortal{wire: s.Wire, n: n, after: after}
	c := s.Config()
	c.HTTPClient, c.Retryer = net, func() sdk.Retryer { return sdk.NopRetryer{} }
	p := s.process(t, c)
	store := dynamo.New(dynamodb.NewFromConfig(c), tables)
	_, err = release.New(release.Ports{Pointer: store, Traffic: p, Records: store}, release.Options{}).Rollback(t.Context(), s.project.ID, to)
	return net.seen, err
}

// TestSwitch_Killed kills the process at every call of a rollback, before and after the call
// took effect. Another process then reconciles: aliases, store and pointer agree on one of the
// two deployments.
func TestSwitch_Killed(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	one := s.deploy(t, twoFunctions("one"))
	two := s.deploy(t, twoFunctions("two"))
	versions := map[anchor.DeploymentID]string{one.ID: "one", two.ID: "two"}
	records := map[anchor.DeploymentID]anchor.Deployment{one.ID: one, two.ID: two}
	calls, err := s.rollbackAs(t, one.ID, 0, false)
	must(t, err)
	s.wantLive(t, one, "one")

	for n := 1; n <= calls; n++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("call %d, after %v", n, after), func(t *testing.T) {
				before, err := s.store.Live(t.Context(), s.project.ID)
				must(t, err)
				to := one.ID
				if before.Deployment == one.ID {
					to = two.ID
				}
				_, err = s.rollbackAs(t, to, n, after)
				if err == nil && (!after || n < calls) {
					t.Error("the killed process told of no error")
				}
				must(t, s.process(t, s.Config()).Reconcile(t.Context()))
				live, err := s.store.Live(t.Context(), s.project.ID)
				must(t, err)
				if live.Revision > before.Revision+1 {
					t.Errorf("one rollback moved the pointer from revision %d to %d", before.Revision, live.Revision)
				}
				s.wantLive(t, records[live.Deployment], versions[live.Deployment])
			})
		}
	}
}

// TestReconcile_Aligned asserts that Reconcile writes nothing when everything agrees.
func TestReconcile_Aligned(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	one := s.deploy(t, twoFunctions("one"))
	calls := s.Wire.Record()
	must(t, s.process(t, s.Config()).Reconcile(t.Context()))
	for _, c := range calls() {
		if written[c.Operation] {
			t.Errorf("it calls %s", c.Operation)
		}
	}
	s.wantLive(t, one, "one")
}

// TestReconcile_PurgesAgainAfterPropagation asserts that a release is purged a second time, once.
func TestReconcile_PurgesAgainAfterPropagation(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.deploy(t, twoFunctions("one"))
	for age, want := range map[time.Duration]int{0: 0, 2 * time.Minute: 1, time.Hour: 0} {
		later := s.with(t, func(c *aws.Config) {
			c.AWS = s.Config()
			c.Now = func() time.Time { return time.Now().Add(age) }
		})
		calls, purged := s.Wire.Record(), 0
		must(t, later.Reconcile(t.Context()))
		for _, c := range calls() {
			if c.Operation == "CloudFront.CreateInvalidation" {
				purged++
			}
		}
		if purged != want {
			t.Errorf("%s after the release %d invalidations are asked for, want %d", age, purged, want)
		}
	}
}

var written = map[string]bool{
	"Lambda.UpdateAlias": true, "Lambda.CreateAlias": true, "Lambda.CreateFunctionUrlConfig": true, "Lambda.AddPermission": true,
	"CloudFront KeyValueStore.UpdateKeys": true, "CloudFront KeyValueStore.PutKey": true,
	"CloudFront.UpdateDistribution": true, "CloudFront.CreateInvalidation": true,
}

// TestReconcile_ContinuesAfterFailure asserts that Reconcile continues after a project whose switch it cannot
// finish.
func TestReconcile_ContinuesAfterFailure(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	one := s.deploy(t, twoFunctions("one"))
	two := s.deploy(t, twoFunctions("two"))
	other := &shop{s.installation, anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "blog"}}
	must(t, s.store.CreateProject(t.Context(), other.project))
	broken := other.deploy(t, platformtest.NewApp("broken"))
	broken.Functions = nil
	must(t, s.store.UpdateDeployment(t.Context(), broken, anchor.Deployed))

	// The pointer moves, and the process that moved it ends.
	from, err := s.store.Live(t.Context(), s.project.ID)
	must(t, err)
	_, err = s.store.Move(t.Context(), from, anchor.Release{
		ID: anchor.ReleaseID(anchor.NewID()), ProjectID: s.project.ID, Kind: anchor.ReleasePromote,
		Deployment: one.ID, From: two.ID, Record: one.ID, Version: one.Version,
	}, nil)
	must(t, err)
	s.wantAliases(t, two)
	err = s.process(t, s.Config()).Reconcile(t.Context())
	s.wantLive(t, one, "one")
	if err == nil {
		t.Error("it does not tell of the project it could not route")
	}
}
