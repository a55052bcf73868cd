package discovery_test

import (
	"os"
	"testing"

	"github.com/anchor-deploy/anchor/internal/local/discovery"
)

func TestRemote_FoundByURL(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	one := discovery.Remote{URL: "https://one.example.com", Token: "anchor_1", Installation: "anchor", Account: "1", Region: "eu-central-1"}
	two := one
	two.URL, two.Token, two.Region = "https://two.example.com", "anchor_2", "us-east-1"
	if _, kept := one.Kept(); kept {
		t.Error("it is kept before it was")
	}
	var files []string
	for _, r := range []discovery.Remote{one, two} {
		name, err := r.Keep()
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the file %s: %v, %v", name, info, err)
		}
		files = append(files, name)
	}
	if got, ok := discovery.FindRemote("https://two.example.com/"); !ok || got != two {
		t.Errorf("found %+v, %v", got, ok)
	}
	if got, ok := discovery.FindRemote("https://two.example.com.evil.com"); ok {
		t.Errorf("found %+v for a stranger", got)
	}
	moved := one
	moved.URL = "https://moved.example.com"
	if _, kept := moved.Kept(); kept {
		t.Error("the token of an installation that is gone is taken for the new one's")
	}
	if err := os.Chmod(files[0], 0o644); err != nil {
		t.Fatal(err)
	}
	if _, ok := discovery.FindRemote(one.URL); ok {
		t.Error("a token that others can read is used")
	}
	for range 2 {
		if err := two.Forget(); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := discovery.FindRemote(two.URL); ok {
		t.Error("it is found after it was forgotten")
	}
}
