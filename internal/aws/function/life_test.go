package function_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

func TestFunctions_WholeLife(t *testing.T) {
	s, p := newStand(t), newProject()
	one := artifactOf(t, p, platformtest.NewApp("one"))
	must(t, s.Check(one, anchor.Settings{}, anchor.Settings{}))
	first := s.publish(t, one)
	v := first.Functions[anchor.ServerFunction]
	if want := "arn:aws:lambda:eu-central-1:" + s.cloud.Account + ":function:anchor-" + p.Slug + "-server:1"; v.VersionARN != want || v.Version != "1" || v.CodeSha256 == "" {
		t.Errorf("the version is %+v, want %s", v, want)
	}
	must(t, s.Probe(t.Context(), one, t.Logf))
	s.want(t, p, "d-"+string(first.ID), "/", "one")
	s.want(t, p, "d-"+string(first.ID), "/greeting", "hello")
	if hosts, err := s.Hosts(t.Context(), p, anchor.LiveAlias); err != nil || len(hosts) > 0 {
		t.Errorf("before the first release it has live hosts: %v, %v", hosts, err)
	}

	s.route(t, p, first, 1)
	s.want(t, p, anchor.LiveAlias, "/", "one")
	second := s.publish(t, artifactOf(t, p, platformtest.NewApp("two")))
	s.want(t, p, anchor.LiveAlias, "/", "one")
	s.route(t, p, second, 2)
	s.want(t, p, anchor.LiveAlias, "/", "two")
	s.want(t, p, "d-"+string(first.ID), "/", "one")

	again, err := s.open().Publish(t.Context(), one, wanted(env(one)), t.Logf)
	must(t, err)
	if !reflect.DeepEqual(again, first.Functions) {
		t.Errorf("published again it is %v, not %v", again, first.Functions)
	}
	s.route(t, p, first, 3) // a rollback
	s.want(t, p, anchor.LiveAlias, "/", "one")
	must(t, s.Follow(t.Context(), p, second, liveOf(second, 2)))
	s.want(t, p, anchor.LiveAlias, "/", "one")
	if got := s.aliasVersion(t, "anchor-"+p.Slug+"-server", "live"); got != "1" {
		t.Errorf("the AWS CLI sees version %s live", got)
	}
}

func TestFunctionURL_RefusesOutsiders(t *testing.T) {
	s, p := newStand(t), newProject()
	d := s.publish(t, artifactOf(t, p, platformtest.NewApp("one")))
	s.route(t, p, d, 1)
	for _, alias := range []string{"d-" + string(d.ID), anchor.LiveAlias} {
		hosts, err := s.Hosts(t.Context(), p, alias)
		must(t, err)
		for _, sent := range []string{"", "wrong", secret + "x"} {
			if status, body := s.ask(t, hosts[anchor.ServerFunction], "/", sent); status != http.StatusForbidden || body != "Forbidden\n" {
				t.Errorf("%q is answered %d %q", sent, status, body)
			}
		}
		if status, _ := s.ask(t, hosts[anchor.ServerFunction], "/", "newer,"+secret); status != http.StatusOK {
			t.Errorf("an older generation is answered %d", status)
		}
	}
}

// What cannot be published is refused before any call to AWS.
func TestPublish_Refuses(t *testing.T) {
	s, p := newStand(t), newProject()
	a := artifactOf(t, p, platformtest.NewApp("one"))
	open, large := env(a), env(a)
	delete(open[anchor.ServerFunction], "ANCHOR_ORIGIN_SECRET")
	large[anchor.ServerFunction]["CATALOGUE"] = strings.Repeat("x", 4096)
	calls := s.cloud.Wire.Record()
	for code, vars := range map[string]map[string]map[string]string{"origin_secret_missing": open, "env_too_large": large} {
		_, err := s.Publish(t.Context(), a, wanted(vars), t.Logf)
		wantCode(t, err, code)
		if strings.Contains(err.Error()+anchor.HintOf(err), secret) {
			t.Errorf("%q tells the secret", err)
		}
	}
	if len(calls()) > 0 {
		t.Errorf("it called %v", calls())
	}
	wantCode(t, s.Probe(t.Context(), a, t.Logf), "not_published")
}
