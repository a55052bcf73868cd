package server

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func TestPageCache_Off(t *testing.T) {
	a := &app{Config: Config{PageCacheMiB: -1}.withDefaults()}
	if store := a.openPages(); store != nil {
		t.Error("there is a store")
	}
	stats, err := pageCache{a}.Stats(t.Context(), anchor.Project{})
	if err != nil || stats.Enabled || stats.Deployments == nil {
		t.Errorf("%+v, %v", stats, err)
	}
}

func TestPageCache_Default(t *testing.T) {
	a := &app{Config: Config{Data: t.TempDir()}.withDefaults()}
	defer a.close()
	store := a.openPages()
	if store == nil || store.Usage().Capacity != 128<<20 || store.Usage().Disk.Capacity != 1<<30 {
		t.Error("the defaults are not 128 MiB and 1 GiB")
	}
	if check := a.checkPages(); !check.OK {
		t.Errorf("%+v", check)
	}
}

// A disk that cannot be used does not stop the server.
func TestPageCache_NoDisk(t *testing.T) {
	a := &app{Config: Config{Data: t.TempDir()}.withDefaults()}
	defer a.close()
	if err := os.WriteFile(filepath.Join(a.Data, pagesFolder), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if a.openPages() == nil {
		t.Error("there is no store")
	}
	if check := a.checkPages(); check.OK || check.Detail == "" || check.Hint == "" {
		t.Errorf("%+v", check)
	}
}
