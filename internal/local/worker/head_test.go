package worker

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

// TestOutgoingHead: fields of the connection do not reach the process, each request has an id, and the caller's header
// stays as it is.
func TestOutgoingHead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ header, want http.Header }{
		"clean": {
			http.Header{"X-Request-Id": {"id"}, "Accept": {"a", "b"}},
			http.Header{"X-Request-Id": {"id"}, "Accept": {"a", "b"}},
		},
		"with fields of the connection": {
			http.Header{"X-Request-Id": {"id"}, "Connection": {"X-Hop, keep-alive"}, "X-Hop": {"1"}, "Expect": {"100-continue"}, "Accept": {"a"}},
			http.Header{"X-Request-Id": {"id"}, "Accept": {"a"}},
		},
		"whose id is one of them": {
			http.Header{"X-Request-Id": {"id"}, "Connection": {"x-request-id"}},
			http.Header{"X-Request-Id": nil},
		},
		"without an id":  {http.Header{"Accept": {"a"}}, http.Header{"Accept": {"a"}, "X-Request-Id": nil}},
		"without fields": {nil, http.Header{"X-Request-Id": nil}},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header = test.header
		before := test.header.Clone()
		got := outgoingHead(r).header
		if id := got.Get(requestIDHeader); test.want[requestIDHeader] == nil && len(id) == 32 {
			test.want[requestIDHeader] = []string{id}
		}

		if !maps.EqualFunc(got, test.want, slices.Equal) {
			t.Errorf("%s: the process gets %v, want %v", name, got, test.want)
		}
		if !maps.EqualFunc(test.header, before, slices.Equal) {
			t.Errorf("%s: the request has %v now, and had %v", name, test.header, before)
		}
	}
}
