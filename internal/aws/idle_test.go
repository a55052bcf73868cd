package aws_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
)

// The budget of an idle day of one project with two functions: all calls, and those to the API of
// its KeyValueStore, of which 1,000 cost 1 USD.
const (
	idleCalls    = 11
	idleKVSCalls = 2
)

// sameLives spares a day's rounds their query for the pointers, one call for all projects.
type sameLives struct {
	aws.Records
	lives []anchor.Live
}

func (s sameLives) Lives(context.Context) ([]anchor.Live, error) { return s.lives, nil }

// TestPlatform_Reconcile_IdleDay counts the calls that a project costs on a day on which nothing
// is released, whichever minute the day begins.
func TestPlatform_Reconcile_IdleDay(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.deploy(t, twoFunctions("one"))
	lives, err := s.store.Lives(t.Context())
	must(t, err)
	now := time.Now().Add(time.Hour)
	p := s.with(t, func(c *aws.Config) {
		c.AWS, c.Now, c.Records = s.Config(), func() time.Time { return now }, sameLives{s.store, lives}
	})
	calls := s.Wire.Record()
	for range 24 * 60 {
		now = now.Add(time.Minute)
		must(t, p.Reconcile(t.Context()))
	}
	made := calls()
	if n := len(made); n == 0 || n > idleCalls {
		t.Errorf("an idle day makes %d calls, want 1 to %d: %v", n, idleCalls, operations(made))
	}
	if n := countKVS(made); n > idleKVSCalls {
		t.Errorf("an idle day makes %d calls to the store's API, want at most %d", n, idleKVSCalls)
	}
}

// TestPlatform_Reconcile_AfterARelease looks until the release has spread, and not again.
func TestPlatform_Reconcile_AfterARelease(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.deploy(t, twoFunctions("one"))
	lives, err := s.store.Lives(t.Context())
	must(t, err)
	released, err := anchor.TimeOf(string(lives[0].Release))
	must(t, err)
	now := released
	p := s.with(t, func(c *aws.Config) {
		c.AWS, c.Now, c.Records = s.Config(), func() time.Time { return now }, sameLives{s.store, lives}
	})
	calls := s.Wire.Record()
	for range 10 {
		now = now.Add(50 * time.Second)
		must(t, p.Reconcile(t.Context()))
	}
	// A look before and one after the spread; the project's minute of the day may add one.
	if n := countKVS(calls()); n < 2*idleKVSCalls || n > 3*idleKVSCalls {
		t.Errorf("after a release there are %d calls to the store's API, want %d or %d", n, 2*idleKVSCalls, 3*idleKVSCalls)
	}
}

func countKVS(calls []awstest.Call) int {
	n := 0
	for _, operation := range operations(calls) {
		if strings.HasPrefix(operation, "CloudFront KeyValueStore.") {
			n++
		}
	}
	return n
}

func operations(calls []awstest.Call) []string {
	all := make([]string, len(calls))
	for i, c := range calls {
		all[i] = c.Operation
	}
	return all
}
