package server

import (
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
	a := &app{Config: Config{}.withDefaults()}
	if store := a.openPages(); store == nil || store.Usage().Capacity != 128<<20 {
		t.Error("the default is not 128 MiB")
	}
}
