package aws_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/dynamo"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
	"github.com/anchor-deploy/anchor/internal/release"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The budget of a rollback of a project with two functions, records included.
const (
	rollbackCalls  = 11 // four of them, the acceptance, two starts and the event for what follows, concurrent with the others
	rollbackSerial = 5
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
	handler := s.newHandler(t)
	back := r.measure("rollback", func() { handler.rollsBack(t, first.ID) })
	r.measure("after it, in the deploy handler", func() { must(t, s.platform.Settle(t.Context(), s.project.ID)) })
	cold := r.measure("rollback, in a new process", func() { s.newHandler(t).rollsBack(t, second.ID) })
	must(t, s.platform.Settle(t.Context(), s.project.ID))
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

// handler is a process of the rollback handler. What follows a switch is another process' work.
type handler struct {
	*shop
	releases *release.Service
}

func (s *shop) newHandler(t *testing.T) handler {
	t.Helper()
	store := dynamo.New(dynamodb.NewFromConfig(s.Config()), tables)
	p := s.with(t, func(c *aws.Config) {
		c.Records, c.Notes = store, store
		c.Switched = func(ctx context.Context, _ anchor.ProjectID) error {
			_, err := s.lambda.Invoke(ctx, &lambda.InvokeInput{
				FunctionName: sdk.String("anchor-shop-server"), Qualifier: sdk.String("live"), InvocationType: types.InvocationTypeEvent, Payload: []byte("{}"),
			})
			return err
		}
	})
	return handler{s, release.New(release.Ports{Pointer: store, Traffic: p, Records: store}, release.Options{Purge: p.AfterSwitch})}
}

func (h handler) rollsBack(t *testing.T, id anchor.DeploymentID) {
	t.Helper()
	_, err := h.releases.Rollback(t.Context(), h.project.ID, id)
	must(t, err)
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
	r.Wire.Slow(200 * time.Millisecond) // so that parallel calls certainly overlap
	calls := r.Wire.Record()
	do()
	made := calls()
	r.Wire.Mend()
	r.write(name, made)
	return made
}

// renews reports whether a call renews the lease of a part that waits for Lambda. The number of
// those calls depends on Lambda, too.
func renews(name, operation string) bool {
	return operation == "DynamoDB.TransactWriteItems" && strings.HasSuffix(name, longOnes)
}

// longOnes names the parts of a deployment that do many things concurrently and wait in between.
// The order of their calls differs from run to run.
const longOnes = "functions"

func (r *report) write(name string, calls []awstest.Call) {
	count := map[string]int{}
	kept, waited := awstest.SplitWaits(calls)
	for _, c := range kept {
		if renews(name, c.Operation) {
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
