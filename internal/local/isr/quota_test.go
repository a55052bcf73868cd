package isr

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func quotaStore(t *testing.T, dir string, bytes int64) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.Quota.Bytes = bytes
	s.Quota.Group = func(ns string) []string {
		if strings.HasPrefix(ns, "shop-") {
			return []string{"shop-1", "shop-2"}
		}
		return []string{ns}
	}
	return s
}

func TestStore_GroupQuota(t *testing.T) {
	dir := t.TempDir()
	s := quotaStore(t, dir, 10_000)
	put := func(ns, key string, size int, fits bool) {
		t.Helper()
		_, err := s.Put(t.Context(), ns, key, time.Time{}, strings.NewReader(strings.Repeat("x", size)))
		if fits != (err == nil) || err != nil && (!errors.Is(err, ErrQuota) || !strings.Contains(err.Error(), "10000")) {
			t.Errorf("%d bytes under %s in %s: %v, want %t", size, key, ns, err, fits)
		}
	}
	put("shop-1", "a", 4000, true)
	put("shop-2", "a", 4000, true)
	put("shop-1", "b", 4000, false)
	put("other", "b", 4000, true)
	put("shop-1", "a", 5000, true) // what it replaces does not count
	put("shop-1", "a", 6000, false)
	if o, err := s.Get(t.Context(), "shop-1", "a"); err != nil || o.Size != 5000 {
		t.Errorf("a write that was refused left %+v, %v", o, err)
	} else if err := o.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Delete(t.Context(), "shop-2", "a"); err != nil {
		t.Fatal(err)
	}
	put("shop-1", "b", 4000, true)
	put("shop-2", "c", 4000, false)
	if err := s.Drop(t.Context(), "shop-1"); err != nil {
		t.Fatal(err)
	}
	put("shop-2", "c", 4000, true)

	if err := s.Close(); err != nil { // what was written before a start counts, too
		t.Fatal(err)
	}
	s = quotaStore(t, dir, 10_000)
	put("shop-1", "d", 7000, false)
	put("shop-1", "d", 5000, true)
	s.Quota.Bytes = 1000 // a limit that became smaller lets what is there shrink
	if _, err := s.Put(t.Context(), "shop-1", "d", time.Time{}, strings.NewReader("less")); err != nil {
		t.Error(err)
	}
}
