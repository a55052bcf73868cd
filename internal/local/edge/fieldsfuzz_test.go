package edge

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// What an answer was made from is complete only if each item is understood.
func FuzzTakeTrace(f *testing.F) {
	f.Add("tproducts,kabout", "a")
	f.Add("?,t%2Fx", "a//b")
	f.Add("%", "..")
	f.Fuzz(func(t *testing.T, field, tag string) {
		h := http.Header{HeaderTags: {field, "t" + url.PathEscape(tag), "kpage"}, "X-Nextjs-Cache": {"HIT"}}
		got := takeTrace(h, false)
		if _, left := h[HeaderTags]; left {
			t.Error("the field is left for the client")
		}
		if !slices.Contains(got.tags, keyTag("page")) {
			t.Errorf("%q hides the key of another line: %q", field, got.tags)
		}
		if got.complete && isPlainTag(tag) && !slices.Contains(got.tags, tag) {
			t.Errorf("complete without the tag %q: %q", tag, got.tags)
		}
		if (got.complete || got.keyed) && strings.Contains(field, "%zz") {
			t.Errorf("%q counts as understood", field)
		}
	})
}

// A trace is continued under the id that its field has, or begun (Trace Context, sections 3.2 and 4.3).
func FuzzContinueTrace(f *testing.F) {
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a=b")
	f.Add("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", "")
	f.Add("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a=b")
	f.Fuzz(func(t *testing.T, parent, state string) {
		h := http.Header{headerTrace: {parent}, headerTraceState: {state}}
		id := continueTrace(h)
		if len(id) != 32 || !isLowerHex(id) || isZero(id) {
			t.Fatalf("the id is %q", id)
		}
		sent := h[headerTrace]
		if len(sent) != 1 || traceID(sent) != id {
			t.Errorf("the function gets %q of trace %s", sent, id)
		}
		if _, kept := h[headerTraceState]; kept != (sent[0] == parent) {
			t.Errorf("%q: tracestate is kept: %t", parent, kept)
		}
	})
}
