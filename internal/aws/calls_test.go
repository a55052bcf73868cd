package aws_test

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The budget of a rollback of a project with two functions, records included.
const (
	rollbackCalls  = 15 // three of them, the acceptance and two starts, concurrent with the others
	rollbackSerial = 6  // the last one, an invalidation, after the switch
)

// TestCalls counts the AWS calls of each operation on a two-function project. Each call takes 50
// ms here, which shows what runs concurrently; no time is asserted.
func TestCalls(t *testing.T) {
	t.Parallel()
	awstest.Golden(t, "testdata/calls.golden", *update, func() (*awstest.Wire, string) { return callsOfAll(t) })
}

func callsOfAll(t *testing.T) (*awstest.Wire, string) {
	t.Helper()
	s := newShop(t)
	r := &report{shop: s}
	app := twoFunctions("one")
	first := r.deploy(t, "first deploy", app)
	second := r.deploy(t, "redeploy, unchanged", app)
	r.deploy(t, "redeploy, one page changed", app.With("assets/_next/static/chunks/page.js", "one page changed"))
	back := r.measure("rollback", func() {
		_, err := s.releases(s.platform).Rollback(t.Context(), s.project.ID, first.ID)
		must(t, err)
	})
	cold := r.measure("rollback, in a new process", func() {
		_, err := s.releases(s.process(t, s.Config())).Rollback(t.Context(), s.project.ID, second.ID)
		must(t, err)
	})
	r.measure("reconcile, aligned, in a new process", func() {
		must(t, s.process(t, s.Config()).Reconcile(t.Context()))
	})
	r.measure("remove", func() { must(t, s.platform.Remove(t.Context(), first)) })
	if s.Wire.Cuts() > 0 {
		return s.Wire, "" // repeated calls would be counted
	}
	if sent := r.counts["redeploy, unchanged: assets"]["S3.PutObject"]; sent > 1 {
		t.Errorf("an unchanged app uploads %d objects; the list of its files alone was due", sent)
	}
	within(t, "a rollback", back, rollbackCalls, rollbackSerial)
	within(t, "a new process' first rollback", cold, rollbackCalls, rollbackSerial)
	return s.Wire, r.text.String()
}

func within(t *testing.T, what string, calls []awstest.Call, most, serial int) {
	t.Helper()
	if n, chain := len(calls), awstest.Serial(calls); n > most || chain > serial {
		t.Errorf("%s makes %d calls, %d of them one after another; the budget is %d and %d", what, n, chain, most, serial)
	}
}

// report lists operations: how many calls of each kind, in all, and how many one after another.
type report struct {
	*shop
	text   strings.Builder
	counts map[string]map[string]int
}

func (r *report) measure(name string, do func()) []awstest.Call {
	r.Wire.Slow(50 * time.Millisecond)
	calls := r.Wire.Record()
	do()
	made := calls()
	r.Wire.Mend()
	r.write(name, made)
	return made
}

// waits reports whether a call checks if Lambda is done, or renews a lease meanwhile. Their
// number depends on Lambda.
func waits(name, operation string) bool {
	return operation == "Lambda.GetFunctionConfiguration" ||
		operation == "DynamoDB.TransactWriteItems" && strings.HasSuffix(name, longOnes)
}

// longOnes names the parts of a deployment that do many things concurrently and wait in between.
// The order of their calls differs from run to run.
const longOnes = "functions"

func (r *report) write(name string, calls []awstest.Call) {
	count, waited := map[string]int{}, 0
	for _, c := range calls {
		if waits(name, c.Operation) {
			waited++
			continue
		}
		count[c.Operation]++
	}
	if r.counts == nil {
		r.counts = map[string]map[string]int{}
	}
	r.counts[name] = count
	fmt.Fprintf(&r.text, "%s: %d calls", name, len(calls)-waited)
	if !strings.HasSuffix(name, longOnes) {
		fmt.Fprintf(&r.text, ", %d one after another", awstest.Serial(calls))
	}
	if waited > 0 {
		r.text.WriteString(", and looks whether Lambda is done")
	}
	r.text.WriteString("\n")
	for _, operation := range slices.Sorted(maps.Keys(count)) {
		fmt.Fprintf(&r.text, "  %-46s %d\n", operation, count[operation])
	}
}

// deploy makes an app live, step by step.
func (r *report) deploy(t *testing.T, name string, app platformtest.App) anchor.Deployment {
	t.Helper()
	a := r.artifact(t, app)
	d := a.Deployment
	d.Status = anchor.Deployed
	p, note, err := r.platform, t.Logf, error(nil)
	r.measure(name+": assets", func() { must(t, p.Upload(t.Context(), a, note)) })
	r.measure(name+": functions", func() {
		d.Functions, err = p.Publish(t.Context(), a, note)
		must(t, err)
	})
	r.measure(name+": cache", func() { must(t, p.Seed(t.Context(), a, note)) })
	r.measure(name+": probe", func() { must(t, p.Probe(t.Context(), a, note)) })
	var live anchor.Live
	r.measure(name+": release", func() {
		live, err = r.releases(p).GoLive(t.Context(), d)
		must(t, err)
	})
	r.measure(name+": purge", func() { must(t, p.Purge(t.Context(), live)) })
	return d
}
