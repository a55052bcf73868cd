package acme

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// long returns a host name of n octets.
func long(n int) string {
	labels := strings.Repeat(strings.Repeat("a", 49)+".", n/50+1)
	return strings.TrimPrefix(labels[len(labels)-(n-len("example.com")):], ".") + "example.com"
}

// A host name may have 253 octets (RFC 1035, section 3.1), and no part of a path more than 255.
func TestFiles_LongNames(t *testing.T) {
	t.Parallel()
	f := listenFront(t)
	p := startPebble(t, f.ports(t, 0))
	cfg := p.config(t)
	m := open(t, cfg)
	f.serve(t, m)
	names := []string{long(237), long(243), long(247), long(251), long(maxName)}
	f.publish(names...)
	for _, name := range names {
		ensured(t, m, name)
	}
	own := named("*." + long(maxName-len("*.")))
	chain, key := selfMade(t, nil, own.Name)
	if _, err := m.Import(t.Context(), own, chain, key); err != nil {
		t.Fatal(err)
	}
	m.Close()

	m = open(t, cfg)
	f.serve(t, m)
	for _, name := range names {
		get(t, f.client(t, p), "https://"+name+"/")
	}
	below := "a" + strings.TrimPrefix(own.Name, "*")
	if cert, err := m.GetCertificate(hello(below)); err != nil || cert == nil {
		t.Errorf("the imported certificate after a restart: %v, %v", cert, err)
	}
	if n := p.Orders(); n != len(names) {
		t.Errorf("%d orders for %d names", n, len(names))
	}
	for _, name := range append(names, own.Name) {
		if err := m.Release(t.Context(), named(name)); err != nil {
			t.Error(err)
		}
	}
	err := filepath.WalkDir(cfg.Dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && strings.Contains(e.Name(), "example.com") {
			t.Errorf("left behind: %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// The files of names that are not too long are where they always were.
func TestFiles_OfEarlierVersions(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"example.com", long(242), "*." + long(231)} {
		if got := fileName(host, ".json"); got != strings.Replace(host, "*", "wildcard_", 1)+".json" {
			t.Errorf("the order of %s is in %s", host, got)
		}
	}
}

func TestFiles_Hosts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	want := []string{"example.com", "*.example.com", long(252), long(maxName), "*." + long(251)}
	for _, host := range want {
		path := filepath.Join(dir, fileName(host, ".json"))
		if err := writeFile(path, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, ".writing-1"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := listHosts(dir, ".json")
	slices.Sort(want)
	if slices.Sort(got); err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}
