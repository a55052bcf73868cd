package asset_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
)

var update = flag.Bool("update", false, "rewrite testdata/calls.golden")

// TestCalls compares the number of AWS calls of every operation with a golden file.
func TestCalls(t *testing.T) {
	awstest.Golden(t, "testdata/calls.golden", *update, func() (*awstest.Wire, string) { return callsOfAll(t) })
}

func callsOfAll(t *testing.T) (*awstest.Wire, string) {
	t.Helper()
	s := newStand(t, awstest.Shared(t))
	app := tagged(60)
	for i := range 20 {
		app[fmt.Sprintf("assets/_next/static/chunks/%02d.js", i)] = fmt.Sprint("chunk ", i)
		app[fmt.Sprintf("assets/icons/%02d.svg", i)] = fmt.Sprint("icon ", i)
	}
	app = app.With("assets/_next/static/one/_buildManifest.js", "manifest")
	a, b := s.artifact(t, app), s.artifact(t, app)
	c := s.artifact(t, app.With("assets/_next/static/chunks/page.js", "page").With("assets/icons/00.svg", "another icon"))

	var out strings.Builder
	step := func(title string, do func() error) {
		calls := s.cloud.Wire.Record()
		must(t, do())
		fmt.Fprintf(&out, "%s\n%s\n", title, tally(calls()))
	}
	step("upload of 22 hashed and 22 public files", func() error { return s.Upload(t.Context(), a, s.note) })
	step("upload run again", func() error { return s.Upload(t.Context(), a, s.note) })
	step("upload of the unchanged app as a new deployment", func() error { return s.Upload(t.Context(), b, s.note) })
	step("upload of the app with a new chunk and a changed public file", func() error { return s.Upload(t.Context(), c, s.note) })
	step("seed of 61 entries and 60 tags", func() error { return s.Seed(t.Context(), a, s.note) })
	step("seed run again", func() error { return s.Seed(t.Context(), a, s.note) })
	step("removal of one of three deployments", func() error { return s.Remove(t.Context(), s.project, a.Deployment.ID) })
	step("removal of the project with two deployments", func() error { return s.RemoveProject(t.Context(), s.project) })
	return s.cloud.Wire, out.String()
}
