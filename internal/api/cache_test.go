package api_test

import (
	"context"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// selections is an api.Cache that records what it is asked to purge.
type selections struct{ purged []anchor.CacheSelection }

func (s *selections) Stats(context.Context, anchor.Project) (wire.Cache, error) {
	return wire.Cache{Enabled: true, CapacityBytes: 1 << 20, Deployments: []wire.DeploymentCache{}}, nil
}

func (s *selections) List(context.Context, anchor.Project, anchor.CacheSelection) ([]wire.CachedAnswer, error) {
	return nil, nil
}

func (s *selections) Purge(_ context.Context, _ anchor.Project, sel anchor.CacheSelection) (int, error) {
	s.purged = append(s.purged, sel)
	return 7, nil
}

func TestCache(t *testing.T) {
	a := apitest.New(t, apitest.Options{})
	services, cache := a.Services(), &selections{}
	services.Cache = cache
	base := apitest.Serve(t, services, api.Options{}, nil)
	call(t, base, "POST", "/projects", apitest.AdminToken, `{"slug":"shop"}`, nil).is(t, 201)
	purge := func(body string) answer {
		return call(t, base, "POST", "/projects/shop/cache/purge", apitest.AdminToken, body, nil)
	}

	call(t, base, "GET", "/projects/shop/cache", apitest.ReadToken, "", nil).is(t, 200)
	for body, want := range map[string]anchor.CacheSelection{
		`{}`: {},
		`{"url":"https://Shop.test:8443/a%20b?x=1"}`: {Host: "Shop.test", Path: "/a%20b?x=1"},
		`{"url":"/a","tag":"news"}`:                  {Path: "/a", Tag: "news"},
		`{"prefix":"http://shop.test"}`:              {Host: "shop.test", Prefix: "/"},
		`{"prefix":"/products/"}`:                    {Prefix: "/products/"},
	} {
		cache.purged = nil
		purge(body).is(t, 200)
		if len(cache.purged) != 1 || cache.purged[0] != want {
			t.Errorf("%s purges %+v, want %+v", body, cache.purged, want)
		}
	}
	call(t, base, "GET", "/projects/shop/cache/answers", apitest.ReadToken, "", nil).is(t, 200)
	call(t, base, "GET", "/projects/shop/cache/answers?cursor=AAAA", apitest.ReadToken, "", nil).isProblem(t, 400, "bad_cursor")
	cache.purged = nil
	for body, code := range map[string]string{
		`{"url":"/a","prefix":"/b"}`:    "url_and_prefix",
		`{"url":"a"}`:                   "bad_address",
		`{"url":"//host/a"}`:            "bad_address",
		`{"url":"ftp://host/a"}`:        "bad_address",
		`{"prefix":"https://u@host/a"}`: "bad_address",
		`{"prefix":"/a#b"}`:             "bad_address",
		`{"url":"https:///a"}`:          "bad_address",
		`{"url":"/%zz"}`:                "bad_address",
	} {
		purge(body).isProblem(t, 400, code)
	}
	purge(`{"deploymentId":"unknown"}`).isProblem(t, 404, "unknown_deployment")
	if len(cache.purged) != 0 {
		t.Errorf("a request that is refused purges %+v", cache.purged)
	}
}

func TestCache_WhereThePlatformHasItsOwn(t *testing.T) {
	a := apitest.New(t, apitest.Options{})
	base := serve(t, a)
	call(t, base, "POST", "/projects", apitest.AdminToken, `{"slug":"shop"}`, nil).is(t, 201)
	call(t, base, "GET", "/projects/shop/cache", apitest.ReadToken, "", nil).isProblem(t, 501, "no_edge_cache")
	call(t, base, "POST", "/projects/shop/cache/purge", apitest.AdminToken, `{}`, nil).isProblem(t, 501, "no_edge_cache")
}
