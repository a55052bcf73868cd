package aws_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/awstest"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/platform/platformtest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The budget of a rollback of a project with two functions, records included.
const (
	rollbackCalls  = 10
	rollbackSerial = 5
)

// TestCalls counts what each operation on a two-function project asks of AWS. Each
// call takes 50 ms here, so that what is done at once shows as such; no time is
// asserted.
func TestCalls(t *testing.T) {
	s := newShop(t)
	var report strings.Builder
	measure := func(name string, do func()) []awstest.Call {
		s.Wire.Slow(50 * time.Millisecond)
		calls := s.Wire.Record()
		do()
		made := calls()
		s.Wire.Mend()
		write(&report, name, made)
		return made
	}
	deployed := func(name string, a deploy.Artifact) (d anchor.Deployment, calls []awstest.Call) {
		calls = measure(name, func() {
			d = platformtest.Prepare(t, s.platform, a)
			live, err := s.releases(s.platform).GoLive(t.Context(), d)
			must(t, err)
			must(t, s.platform.Purge(t.Context(), live))
		})
		return d, calls
	}
	app := twoFunctions("one").With("assets/other.txt", "the same in all")
	first, _ := deployed("first deploy", s.artifact(t, app))
	_, calls := deployed("redeploy, unchanged", s.artifact(t, app))
	if n := puts(calls, "hashed"); n != 0 {
		t.Logf("%d", n)
	}
	changed := app.With("assets/_next/static/chunks/page.js", "one page changed")
	deployed("redeploy, one page changed", s.artifact(t, changed))

	s.wantBudget(t, measure("rollback", func() {
		_, err := s.releases(s.platform).Rollback(t.Context(), s.project.ID, first.ID)
		must(t, err)
	}))
	measure("rollback, in a new process", func() {
		_, err := s.releases(s.process(t, s.Config())).Rollback(t.Context(), s.project.ID, first.ID)
		must(t, err)
	})
	measure("reconcile, aligned", func() { must(t, s.process(t, s.Config()).Reconcile(t.Context())) })
	golden(t, "testdata/calls.golden", report.String())
}

func (s *shop) wantBudget(t *testing.T, calls []awstest.Call) {
	t.Helper()
	if len(calls) > rollbackCalls || awstest.Serial(calls) > rollbackSerial {
		t.Errorf("a rollback makes %d calls, %d of them one after another; the budget is %d and %d:\n%s",
			len(calls), awstest.Serial(calls), rollbackCalls, rollbackSerial, listed(calls))
	}
}
