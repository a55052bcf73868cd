package cli

import (
	"bytes"
	"context"
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
}

func (s *storedAnswers) Stats(context.Context, anchor.Project) (wire.Cache, error) {
	return s.stats, nil
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
			if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 80 {
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
	cache := &storedAnswers{stats: wire.Cache{Enabled: true, CapacityBytes: 128 << 20, UsedBytes: 3 << 20, Deployments: []wire.DeploymentCache{
		{DeploymentID: "01m8jc6481sk664t10n0m3yy03", Live: true, Entries: 1200, Bytes: 99 << 20, Hits: 1e6, Stale: 1, Misses: 2e6, Passed: 3e6},
	}}}
	anchor := cacheCommands(t, cache)
	out, errs, code := anchor("cache", "stats")
	for _, text := range []string{"01m8jc6481sk664t10n0m3yy03", "live", "1200", "99M", "1000001", "3M of 128M"} {
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

func TestCache_OnAWS(t *testing.T) {
	if _, errs, code := cacheCommands(t, nil)("cache", "purge"); code == 0 || !strings.Contains(errs, "CloudFront") {
		t.Errorf("%d %s", code, errs)
	}
}
