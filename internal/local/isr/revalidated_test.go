package isr_test

import (
	"encoding/json"
	"testing"

	"github.com/anchor-deploy/anchor/internal/local/isr"
)

// What was made from a tag or an object is out of date when the write that revalidated it returns,
// and only then.
func TestRevalidated(t *testing.T) {
	s := open(t, t.TempDir())
	var told []string
	s.Deleted = func(ns, key string) { told = append(told, ns+" deleted "+key) }
	s.Revalidated = func(ns string, revalidated []isr.TagRow) {
		rows, err := s.ByTag(t.Context(), ns, "t")
		if err != nil {
			t.Error(err)
		}
		if len(rows) == 1 {
			ns += " sees the row"
		}
		for _, row := range revalidated {
			ns += ", " + row.Tag
		}
		told = append(told, ns)
	}
	want := func(what string, calls ...string) {
		t.Helper()
		if len(told) != len(calls) || len(calls) == 1 && told[0] != calls[0] {
			t.Errorf("%s: %q, want %q", what, told, calls)
		}
		told = nil
	}
	writeTags(t, s, "one", isr.TagRow{Tag: "t", Path: "p", RevalidatedAt: 1})
	want("an entry gets a tag")
	writeTags(t, s, "one", isr.TagRow{Tag: "u", Path: "p", RevalidatedAt: 1}, isr.TagRow{Tag: "t", Path: "p", RevalidatedAt: 7})
	want("a tag is revalidated", "one sees the row, t")
	writeTags(t, s, "one", isr.TagRow{Tag: "t", Path: "p", RevalidatedAt: 1, Extra: map[string]json.RawMessage{"stale": json.RawMessage(`{"N":"7"}`)}})
	want("a tag becomes stale", "one sees the row, t")
	if err := s.WriteTags(t.Context(), "one", nil, []isr.TagKey{{Tag: "t", Path: "p"}}); err != nil {
		t.Fatal(err)
	}
	want("a row is deleted", "one")
	put(t, s, "one", "k", "value")
	want("an object is written")
	if err := s.Delete(t.Context(), "one", "k"); err != nil {
		t.Fatal(err)
	}
	want("an object is deleted", "one deleted k")
}
