package cli

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// storedAnswers is an api.Cache that records what it is asked to purge.
type storedAnswers struct {
	stats  wire.Cache
	purged []anchor.CacheSelection

	answers []wire.CachedAnswer
	listed  []anchor.CacheSelection
}

func (s *storedAnswers) Stats(context.Context, anchor.Project) (wire.Cache, error) {
	return s.stats, nil
}

func (s *storedAnswers) List(_ context.Context, _ anchor.Project, sel anchor.CacheSelection) ([]wire.CachedAnswer, error) {
	s.listed = append(s.listed, sel)
	return slices.Clone(s.answers), nil
}

func (s *storedAnswers) Purge(_ context.Context, _ anchor.Project, sel anchor.CacheSelection) (int, error) {
	s.purged = append(s.purged, sel)
	return 1, nil
}

// cacheCommands runs commands on the project "shop" of a server with that cache; nil for none.
func cacheCommands(t *testing.T, cache api.Cache) func(args ...string) (out, errs string, code int) {
	t.Helper()
	services := apitest.New(t, apitest.Options{}).Services()
	services.Cache = cache
	t.Setenv("ANCHOR_URL", apitest.Serve(t, services, api.Options{}, nil))
	t.Setenv("ANCHOR_TOKEN", apitest.AdminToken)
	call := func(args ...string) (string, string, int) {
		var out, errs bytes.Buffer
		code := run(t.Context(), args, IOStreams{In: strings.NewReader(""), Out: &out, Err: &errs, Width: 80}, Parts{})
		for line := range strings.Lines(out.String()) {
			if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 80 && !strings.Contains(line, "--cursor") {
				t.Errorf("more than 80 columns: %s", line)
			}
		}
		return out.String(), errs.String(), code
	}
	if _, errs, code := call("projects", "create", "shop"); code != 0 {
		t.Fatal(errs)
	}
	return func(args ...string) (string, string, int) { return call(append(args, "--project", "shop")...) }
}

func TestCacheStats(t *testing.T) {
	cache := &storedAnswers{stats: wire.Cache{Enabled: true, CapacityBytes: 128 << 20, UsedBytes: 3 << 20,
		Disk: wire.CacheDisk{CapacityBytes: 1 << 30, UsedBytes: 5 << 20, Problem: "no room"}, Deployments: []wire.DeploymentCache{
			{DeploymentID: "01m8jc6481sk664t10n0m3yy03", Live: true, Entries: 1200, Bytes: 99 << 20, Hits: 1e6, Stale: 1, Misses: 2e6, Passed: 3e6},
		}}}
	anchor := cacheCommands(t, cache)
	out, errs, code := anchor("cache", "stats")
	for _, text := range []string{"01m8jc6481sk664t10n0m3yy03", "live", "1200", "103.8 MB", "1000001", "3.1 MB of 128 MiB in memory", "5.2 MB of 1024 MiB on disk", "no room"} {
		if code != 0 || !strings.Contains(out, text) {
			t.Errorf("%d, without %q: %s%s", code, text, out, errs)
		}
	}
	cache.stats = wire.Cache{Deployments: []wire.DeploymentCache{}}
	if out, _, code := anchor("cache", "stats"); code != 0 || !strings.Contains(out, "without the cache") {
		t.Errorf("%d %s", code, out)
	}
}

func TestCachePurge(t *testing.T) {
	cache := &storedAnswers{}
	anchor := cacheCommands(t, cache)
	if out, errs, code := anchor("cache", "purge", "--url", "/a", "--tag", "news"); code != 0 || out != "Removed 1 answer of shop.\n" {
		t.Errorf("%d %q %s", code, out, errs)
	}
	if len(cache.purged) != 1 || cache.purged[0].Path != "/a" || cache.purged[0].Tag != "news" {
		t.Errorf("%+v", cache.purged)
	}
	for _, args := range [][]string{{"--url", "/a", "--prefix", "/"}, {"--url", "here"}, {"--deployment", "unknown"}, {"everything"}} {
		if _, errs, code := anchor(append([]string{"cache", "purge"}, args...)...); code == 0 || errs == "" {
			t.Errorf("%q: %d %s", args, code, errs)
		}
	}
	if len(cache.purged) != 1 {
		t.Errorf("a refused command purges %+v", cache.purged)
	}
}

func TestCacheList(t *testing.T) {
	cache := &storedAnswers{answers: []wire.CachedAnswer{
		{ID: "0123456789abcdef", DeploymentID: "01m8jc6481sk664t10n0m3yy03", URL: "http://a.test/b", Status: 404, AgeSeconds: 61, FreshSeconds: -2, OnDisk: true},
		{ID: "1123456789abcdef", DeploymentID: "01m8jc6481sk664t10n0m3yy03", URL: "http://a.test/a", Status: 200, FreshSeconds: 7200, Bytes: 7000, Hits: 12, Tags: []string{"news"}},
	}}
	anchor := cacheCommands(t, cache)
	out, errs, code := anchor("cache", "ls", "--tag", "news", "--prefix", "/")
	lines := strings.Split(out, "\n")
	if code != 0 || len(lines) != 4 || !strings.HasPrefix(lines[1], "200     0 s    2 h 0 min  7 kB  12    memory  http://a.test/a  news") ||
		!strings.HasPrefix(lines[2], "404     1 min  stale      0 B   0     disk    http://a.test/b") {
		t.Errorf("%d %s\n%s", code, errs, out)
	}
	if len(cache.listed) != 1 || cache.listed[0].Tag != "news" || cache.listed[0].Prefix != "/" {
		t.Errorf("%+v", cache.listed)
	}
	out, _, _ = anchor("cache", "ls", "--limit", "1")
	_, cursor, found := strings.Cut(out, "--cursor ")
	if !found || strings.Contains(out, "/b") {
		t.Fatal(out)
	}
	if out, _, _ := anchor("cache", "ls", "--limit", "1", "--cursor", strings.TrimSpace(cursor)); !strings.Contains(out, "/b") || strings.Contains(out, "--cursor") {
		t.Error(out)
	}
	for _, args := range [][]string{{"--limit", "0"}, {"--cursor", "?"}, {"--prefix", "here"}, {"--deployment", "unknown"}} {
		if _, errs, code := anchor(append([]string{"cache", "ls"}, args...)...); code == 0 || errs == "" {
			t.Errorf("%q: %d %s", args, code, errs)
		}
	}
}

func TestCache_OnAWS(t *testing.T) {
	if _, errs, code := cacheCommands(t, nil)("cache", "purge"); code == 0 || !strings.Contains(errs, "CloudFront") {
		t.Errorf("%d %s", code, errs)
	}
}
