package sites

import (
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/isr"
)

// A row of the tag table names an entry as the functions look it up; the app knows it without the
// build.
func TestTagRows_Names(t *testing.T) {
	b := anchor.Build{BuildID: "b1", CacheBuild: "d1"}
	for _, test := range []struct {
		tag, path        string
		wantTag, wantKey string
		known            bool
	}{
		{"d1/news", "d1/products/1", "news", "products/1", true},
		{"b1/news", "b1/index", "news", "index", true},
		{"d1/_N_T_/", "d1/index", "_N_T_/", "index", true},
		{"d1/_tag/news", "d1/_tag/news", "_tag/news", "_tag/news", true},
		{"d1/news", "b1/index", "", "", false},
		{"news", "index", "", "", false},
		{"d2/news", "d2/index", "", "", false},
	} {
		tag, key, known := namesOf(b, isr.TagRow{Tag: test.tag, Path: test.path})
		if tag != test.wantTag || key != test.wantKey || known != test.known {
			t.Errorf("%s %s: %q %q %t", test.tag, test.path, tag, key, known)
		}
	}
	if _, _, known := namesOf(anchor.Build{}, isr.TagRow{Tag: "/x", Path: "/y"}); known {
		t.Error("a build without an id has tags")
	}
}

func TestPageKeyOf(t *testing.T) {
	t.Parallel()
	b := anchor.Build{BuildID: "b1", CacheBuild: "d1"}
	for object, want := range map[string]string{
		"_cache/d1/en/knots.cache": "en/knots", "_cache/b1/index.cache": "index", "_cache/d1/a.b.cache": "a.b",
		"_cache/__fetch/d1/0123": "", "_cache/d2/index.cache": "", "d1/index.cache": "", "_cache/d1/index": "", "": "",
	} {
		if key, ok := pageKeyOf(b, object); key != want || ok != (want != "") {
			t.Errorf("%s: %q, %t", object, key, ok)
		}
	}
}
