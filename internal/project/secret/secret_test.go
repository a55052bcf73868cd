package secret_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/project/secret"
)

func open(t *testing.T, path string) *secret.Box {
	t.Helper()
	box, err := secret.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func TestBox_Open_OtherPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	box := open(t, path)
	plain := []byte("s3cret value")
	sealed := box.Seal(plain, "env", "p1", "NAME")

	if bytes.Contains(sealed, plain) {
		t.Error("the sealed bytes hold the value")
	}
	if bytes.Equal(sealed, box.Seal(plain, "env", "p1", "NAME")) {
		t.Error("sealed twice, it is the same")
	}
	if got, err := open(t, path).Open(sealed, "env", "p1", "NAME"); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("opened after a restart: %q, %v", got, err)
	}
	for _, place := range [][]string{{"env", "p2", "NAME"}, {"env", "p1N", "AME"}, {"env", "p1"}, {}, {"env", "p1", "NAME", ""}} {
		if _, err := box.Open(sealed, place...); err == nil {
			t.Errorf("it opens at %q too", place)
		}
	}
	other := open(t, filepath.Join(t.TempDir(), "key"))
	if _, err := other.Open(sealed, "env", "p1", "NAME"); err == nil || !strings.Contains(err.Error(), "key file") {
		t.Errorf("under another key: error %v", err)
	}
}

func TestBox_Open_ChangedBit(t *testing.T) {
	box := open(t, filepath.Join(t.TempDir(), "key"))
	sealed := box.Seal([]byte("value"), "place")
	for i := range sealed {
		for bit := range 8 {
			bad := bytes.Clone(sealed)
			bad[i] ^= 1 << bit
			if _, err := box.Open(bad, "place"); err == nil {
				t.Errorf("it opens with bit %d of byte %d changed", bit, i)
			}
		}
		if _, err := box.Open(sealed[:i], "place"); err == nil {
			t.Errorf("it opens cut to %d bytes", i)
		}
	}
}

func TestOpen_KeyFile(t *testing.T) {
	t.Run("is for its owner", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "key")
		open(t, path)
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 || info.Size() != 32 {
			t.Errorf("the key file: %v, %v", info, err)
		}
		for _, mode := range []os.FileMode{0o640, 0o604, 0o660} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			refused(t, path, "key_exposed")
		}
	})
	t.Run("is never replaced", func(t *testing.T) {
		for _, content := range []string{"", "short", strings.Repeat("x", 33)} {
			path := filepath.Join(t.TempDir(), "key")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			refused(t, path, "key_damaged")
			if got, err := os.ReadFile(path); err != nil || string(got) != content {
				t.Errorf("the file was changed to %q, %v", got, err)
			}
		}
	})
	t.Run("needs its folder", func(t *testing.T) {
		if _, err := secret.Open(filepath.Join(t.TempDir(), "none", "key")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("is one for all who make it at once", func(t *testing.T) {
		dir := t.TempDir()
		boxes := make([]*secret.Box, 20)
		var done sync.WaitGroup
		for i := range boxes {
			done.Go(func() { boxes[i], _ = secret.Open(filepath.Join(dir, "key")) })
		}
		done.Wait()
		for _, box := range boxes {
			if box == nil {
				t.Fatal("one of them failed")
			}
			if _, err := boxes[0].Open(box.Seal(nil, "place"), "place"); err != nil {
				t.Error(err)
			}
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
			t.Errorf("files left: %v, %v", left, err)
		}
	})
}

func refused(t *testing.T, path, code string) {
	t.Helper()
	_, err := secret.Open(path)
	if e := (*anchor.Error)(nil); !errors.As(err, &e) || e.Code != code || e.Hint == "" {
		t.Errorf("error %v, want one of code %s with a hint", err, code)
	}
}

func TestBox_Derive_OnePlaceOneKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	derive := func(box *secret.Box, place ...string) string {
		t.Helper()
		key, err := box.Derive(place...)
		if err != nil || len(key) != 32 {
			t.Fatalf("a key of %d bytes, %v", len(key), err)
		}
		return string(key)
	}
	key := derive(open(t, path), "actions-key", "p1")
	if again := derive(open(t, path), "actions-key", "p1"); again != key {
		t.Error("after a restart it is another one")
	}
	for _, other := range []string{
		derive(open(t, path), "actions-key", "p2"), derive(open(t, path), "actions-keyp", "1"),
		derive(open(t, filepath.Join(t.TempDir(), "key")), "actions-key", "p1"),
	} {
		if other == key {
			t.Error("it is the same for another place or Box")
		}
	}
}
