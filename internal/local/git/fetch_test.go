package git

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func TestCheckRemoteURL(t *testing.T) {
	for _, good := range []string{
		"https://github.com/acme/shop.git", "git@github.com:acme/shop.git", "ssh://git@git.example.com:2222/acme/shop.git",
		"https://gitlab.example.com/group/sub/shop", "http://127.0.0.1:3000/acme/shop.git", "git@host:~acme/shop",
	} {
		if err := CheckRemoteURL(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "shop", "/srv/git/shop.git", "file:///srv/git/shop.git", "ext::sh -c id", "http://git.example.com/acme/shop.git",
		"https://token@github.com/acme/shop.git", "https://a:b@github.com/acme/shop", "ssh://git:pw@github.com/a/b", "-oProxyCommand=x:y",
		"git@-oProxyCommand=x:y", "ssh://-oProxyCommand=x/y", "ssh://git@-x/y", "ssh://git@host/-x", "ssh://github.com/a", "https://github.com/",
		"https://github.com/a?b=c", "git@host:-x", "git@host:a b", "https://[::1/a", "ssh://-x@host/a", "git://github.com/a/b",
	} {
		if err := CheckRemoteURL(bad); anchor.CodeOf(err) != "bad_repository" || anchor.HintOf(err) == "" {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestFetch_OverHTTPS clones from another store of this package, which the real git serves.
func TestFetch_OverHTTPS(t *testing.T) {
	host := newFixture(t, Limits{})
	first := host.commit(map[string]string{"apps/web/page": "one"})
	host.git("push", "--quiet", host.url, "main")
	r := emptyRepository(t, Limits{})
	remote := Remote{URL: host.behindPassword("x:t0ken") + "/acme/shop", User: "x", Password: "t0ken"}
	if _, _, err := r.Fetch(t.Context(), Remote{URL: remote.URL, User: "x", Password: "wrong"}, "refs/heads/main"); anchor.CodeOf(err) != "clone_refused" {
		t.Errorf("with a wrong token: %v", err)
	}
	if _, _, err := r.Fetch(t.Context(), Remote{URL: remote.URL}, "refs/heads/main"); anchor.CodeOf(err) != "clone_refused" {
		t.Errorf("without a token: %v", err)
	}
	commit, _, err := r.Fetch(t.Context(), remote, "refs/heads/main")
	if err != nil || commit != first {
		t.Fatalf("the fetch of main is %s, %v", commit, err)
	}
	if _, _, err := r.Fetch(t.Context(), remote, "refs/heads/gone"); anchor.CodeOf(err) != "branch_gone" {
		t.Errorf("a branch that is gone: %v", err)
	}
	for _, bad := range []string{"refs/heads/a..b", "refs/heads/-x y", "refs/heads/", "refs/heads/a:refs/heads/main"} {
		if _, _, err := r.Fetch(t.Context(), remote, bad); anchor.CodeOf(err) != "bad_branch" {
			t.Errorf("the branch %q: %v", bad, err)
		}
	}
	if branches, err := r.output(t.Context(), "for-each-ref", "refs/heads"); err != nil || len(branches) != 0 {
		t.Errorf("clients see %s, %v", branches, err)
	}
	host.checkChanges(r, remote, first)
}

// checkChanges checks which patterns a further commit matches.
func (f *fixture) checkChanges(r *Repository, remote Remote, first string) {
	f.Helper()
	f.commit(map[string]string{"apps/api/main": "x"})
	f.git("push", "--quiet", f.url, "main")
	second, _, err := r.Fetch(f.Context(), remote, "refs/heads/main")
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range []struct {
		from     string
		patterns []string
		want     bool
	}{
		{first, []string{"apps/web/**"}, false}, {first, []string{"apps/api/**"}, true}, {first, []string{"apps/web/**", "apps/*/main"}, true},
		{first, []string{"apps"}, true}, {first, []string{"*.md"}, false}, {strings.Repeat("1", 40), []string{"*.md"}, true},
	} {
		if got, err := r.Changes(f.Context(), c.from, second, c.patterns); err != nil || got != c.want {
			f.Errorf("from %.7s in %q: %t, %v", c.from, c.patterns, got, err)
		}
	}
}

func TestFetch_Failures(t *testing.T) {
	r := emptyRepository(t, Limits{})
	var status atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(int(status.Load()))
	}))
	for code, want := range map[int]string{
		http.StatusNotFound: "repository_not_found", http.StatusForbidden: "clone_refused", http.StatusBadGateway: Unreachable,
		http.StatusTooManyRequests: Unreachable, http.StatusMovedPermanently: "repository_moved",
	} {
		status.Store(int32(code))
		_, _, err := r.Fetch(t.Context(), Remote{URL: server.URL + "/a/b"}, "refs/heads/main")
		if anchor.CodeOf(err) != want || anchor.HintOf(err) == "" {
			t.Errorf("a host that answers %d: %v", code, err)
		}
	}
	server.Close()
	if _, _, err := r.Fetch(t.Context(), Remote{URL: server.URL + "/a/b"}, "refs/heads/main"); anchor.CodeOf(err) != Unreachable {
		t.Errorf("a host that is down: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := r.Fetch(ctx, Remote{URL: server.URL + "/a/b"}, "refs/heads/main"); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of its context: %v", err)
	}
}

// TestFetch_TooLarge fetches a pack that is larger than a push may be.
func TestFetch_TooLarge(t *testing.T) {
	host := newFixture(t, Limits{})
	random := make([]byte, 3<<20)
	rand.NewChaCha8([32]byte{}).Read(random) //nolint:errcheck // it never fails
	host.commit(map[string]string{"noise": string(random)})
	host.git("push", "--quiet", host.url, "main")
	r := emptyRepository(t, Limits{PackBytes: 1 << 20})
	_, _, err := r.Fetch(t.Context(), Remote{URL: host.behindPassword("x:t0ken") + "/acme/shop", User: "x", Password: "t0ken"}, "refs/heads/main")
	if anchor.CodeOf(err) != "repository_too_large" {
		t.Errorf("a pack of 3 MiB where 1 MiB is allowed: %v", err)
	}
}

func emptyRepository(t *testing.T, l Limits) *Repository {
	t.Helper()
	store, err := Open(t.TempDir(), l)
	if err != nil {
		t.Fatal(err)
	}
	r := store.Of(anchor.ProjectID(anchor.NewID()))
	if err := r.Create(t.Context(), "main"); err != nil {
		t.Fatal(err)
	}
	return r
}

// behindPassword serves the fixture's repository as /acme/shop to who has a user and password.
func (f *fixture) behindPassword(want string) string {
	target, err := url.Parse(f.url)
	if err != nil {
		f.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.StripPrefix("/acme/shop", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user+":"+password != want {
			w.Header().Set("WWW-Authenticate", `Basic realm="host"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		proxy.ServeHTTP(w, r)
	})))
	f.Cleanup(server.Close)
	return server.URL
}
