package edge

import (
	"net/http"
	"net/netip"
	"testing"
)

// Whatever a cookie, a traceparent, X-Real-Ip or X-Forwarded-For says: the connection answers no request from the cache that
// the handler keeps from it, ids and addresses are valid, and only a trusted proxy names the visitor.
func FuzzRequestFields(f *testing.F) {
	for _, seed := range []string{
		"a=b; __prerender_bypass=x", "__next_preview_data=", "%5f_prerender_bypass=1", "a,__prerender_bypass=1", "203.0.113.7, 10.0.0.1", "fe80::1%eth0, ::ffff:10.0.0.1", ourParent,
	} {
		f.Add(seed)
	}
	e := New(Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	f.Fuzz(func(t *testing.T, line string) {
		r := &http.Request{Method: http.MethodGet, Header: http.Header{"Cookie": {line}}}
		if why := keptFromCache(r); why != "" && isPrintable([]byte(line)) && isOrdinaryCookie([]byte(line)) {
			t.Errorf("%q counts as an ordinary cookie, but %s", line, why)
		}
		if id := traceID([]string{line}); id != "" && (len(id) != 32 || !isLowerHex(id) || isZero(id)) {
			t.Errorf("%q has the trace %q", line, id)
		}
		for _, visitor := range []string{e.visitorOf("10.0.0.1", line, ""), e.visitorOf("10.0.0.1", "", line), e.visitorOf("203.0.113.9", line, line)} {
			if _, err := netip.ParseAddr(visitor); err != nil {
				t.Errorf("%q names the visitor %q", line, visitor)
			}
		}
		if visitor := e.visitorOf("203.0.113.9", line, line); visitor != "203.0.113.9" {
			t.Errorf("%q of a stranger names the visitor %q", line, visitor)
		}
	})
}
