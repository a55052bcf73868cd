package front_test

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/front"
)

var update = flag.Bool("update", false, "rewrite testdata/calls.golden")

// TestCalls compares the AWS calls of every operation, in order, with a golden file.
func TestCalls(t *testing.T) {
	awstest.Golden(t, "testdata/calls.golden", *update, func() (*awstest.Wire, string) { return callsOfAll(t) })
}

func callsOfAll(t *testing.T) (*awstest.Wire, string) {
	t.Helper()
	s := newStand(t)
	var out strings.Builder
	step := func(title string, do func() error) {
		calls := s.cloud.Wire.Record()
		if err := do(); err != nil {
			t.Fatalf("%s: %v", title, err)
		}
		fmt.Fprintln(&out, title)
		for _, c := range calls() {
			fmt.Fprintln(&out, "   ", c.Operation)
		}
		fmt.Fprintln(&out)
	}
	ensure := func() error { _, err := s.Ensure(t.Context(), s.project, liveHosts); return err }
	hosts := map[string]string{"default": "d.on.aws", "imageOptimizer": "i.on.aws"}
	a, b := s.artifact(), s.artifact()
	one, two := s.live(a, 1), s.live(b, 2)
	step("ensure, the first of the installation", ensure)
	step("ensure again", ensure)
	step("publish", func() error { return s.Publish(t.Context(), a, hosts) })
	step("publish another", func() error { return s.Publish(t.Context(), b, hosts) })
	var ready front.Switch
	prepare := func() (err error) { ready, err = s.Prepare(t.Context(), s.project); return err }
	step("prepare, in the process that wrote last", prepare)
	step("commit and purge", func() error {
		return errors.Join(ready.Commit(t.Context(), one), s.Purge(t.Context(), s.project, one))
	})
	s.Front = s.another()
	step("ensure, in a new process", ensure)
	s.Front = s.another()
	step("prepare, in a new process", prepare)
	step("commit and purge after it", func() error {
		return errors.Join(ready.Commit(t.Context(), two), s.Purge(t.Context(), s.project, two))
	})
	step("follow what is live", func() error { return s.Follow(t.Context(), s.project, two) })
	step("forget", func() error { return s.Forget(t.Context(), s.project, a.Deployment.ID) })
	step("remove the project", func() error { return s.RemoveProject(t.Context(), s.project) })
	return s.cloud.Wire, out.String()
}
