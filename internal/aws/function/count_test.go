package function_test

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/function"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestCalls compares the number of AWS calls with testdata/calls.golden, for publishing and
// releasing two functions.
func TestCalls(t *testing.T) {
	awstest.Golden(t, "testdata/calls.golden", *update, func() (*awstest.Wire, string) { return callsOfAll(t) })
}

func callsOfAll(t *testing.T) (*awstest.Wire, string) {
	t.Helper()
	s, p := newStand(t), newProject()
	s.Amble()
	var report strings.Builder
	slow := false
	count := func(what string, do func()) {
		record := s.cloud.Wire.Record()
		do()
		calls := record()
		chain := ""
		if slow {
			chain = fmt.Sprintf(", %d one after another", awstest.Serial(calls))
		}
		calls, waited := awstest.SplitWaits(calls)
		if waited > 0 {
			chain += ", and looks whether Lambda is done"
		}
		tell(&report, fmt.Sprintf("%s: %d calls%s", what, len(calls), chain), calls)
	}
	first, second := artifactOf(t, p, splitApp()), artifactOf(t, p, splitApp().With("server-functions/default/new.txt", "new"))
	one, two := first.Deployment, second.Deployment
	count("publish, first of the project", func() { one = s.publish(t, first) })
	count("publish again", func() { s.publish(t, first) })
	count("publish, second of the project, one function's code is new", func() { two = s.publish(t, second) })
	s.cloud.Wire.Slow(200 * time.Millisecond) // so that parallel calls certainly overlap
	slow = true
	count("follow, first of the project", func() { must(t, s.Follow(t.Context(), p, one, liveOf(one, 1))) })
	var ready function.Switch
	count("prepare", func() { ready = s.prepare(t, p, two) })
	count("commit", func() { must(t, ready.Commit(t.Context(), liveOf(two, 2))) })
	count("follow what is aligned", func() { must(t, s.Follow(t.Context(), p, two, liveOf(two, 2))) })
	count("hosts", func() {
		_, err := s.Hosts(t.Context(), p, "live")
		must(t, err)
	})
	return s.cloud.Wire, report.String()
}

func tell(w *strings.Builder, what string, calls []awstest.Call) {
	counts := map[string]int{}
	for _, call := range calls {
		counts[call.Operation]++
	}
	fmt.Fprintln(w, what)
	for _, operation := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(w, "  %d %s\n", counts[operation], operation)
	}
}
