package function_test

import (
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// TestFunctions_Names: an installation of one project may name its functions. They serve, and they
// are found when they are removed; another project does not get them.
func TestFunctions_Names(t *testing.T) {
	s, p := newStand(t), newProject()
	name := "anchor-" + p.Slug + "x-web"
	s.Names = map[string]string{anchor.ServerFunction: name, anchor.ImageFunction: ""}
	defer func() { s.Names = nil }()
	one := s.publish(t, artifactOf(t, p, platformtest.NewApp("one")))
	s.route(t, p, one, 1)
	if version := s.aliasVersion(t, name, "live"); version != one.Functions[anchor.ServerFunction].Version {
		t.Errorf("the alias of %s is on version %s", name, version)
	}
	s.want(t, p, anchor.LiveAlias, "/", "one")

	a := artifactOf(t, newProject(), platformtest.NewApp("two"))
	_, err := s.Publish(t.Context(), a, wanted(env(a)), t.Logf)
	wantCode(t, err, "function_name_taken")

	must(t, s.RemoveProject(t.Context(), p))
	if hosts, err := s.Hosts(t.Context(), p, anchor.LiveAlias); err != nil || len(hosts) != 0 {
		t.Errorf("after the removal there are %v, %v", hosts, err)
	}
}
