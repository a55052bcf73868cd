package edge

import (
	"net/http"
	"testing"
)

// TestConfig_Reserved: hits are answered ahead of Wrap, so no table may have the host.
func TestConfig_Reserved(t *testing.T) {
	e := start(t, Config{Reserved: "api.test", Wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if hostnameOf(r.Host) == "api.test" {
				w.WriteHeader(http.StatusTeapot)
				return
			}
			next.ServeHTTP(w, r)
		})
	}})
	site := func() *Site {
		return &Site{Default: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })}
	}
	for name, sites := range map[string]map[string]*Site{
		"exact":    {"api.test": site(), "b.test": site()},
		"wildcard": {"*.test": site()},
	} {
		e.publish(sites)
		for _, host := range []string{"api.test", "API.test", "api.test:8080", "api.test."} {
			if e.table.Load().findSite(host) != nil {
				t.Errorf("%s: a site has the reserved host %s", name, host)
			}
			if got := e.get(t, host, "/").status; got != http.StatusTeapot {
				t.Errorf("%s: %s answers %d", name, host, got)
			}
		}
		if e.table.Load().findSite("b.test") == nil {
			t.Errorf("%s: another host has no site", name)
		}
	}
}
