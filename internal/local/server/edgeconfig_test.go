package server

import (
	"log/slog"
	"testing"
)

func TestApp_EdgeConfig_LimitsBodies(t *testing.T) {
	for mib, want := range map[int64]int64{0: 0, 1: 1 << 20, 1 << 40: 1 << 60} {
		a := &app{Config: Config{Log: slog.New(slog.DiscardHandler), Quotas: Quotas{BodyMiB: mib}}}
		if got := a.edgeConfig().MaxBodyBytes; got != want {
			t.Errorf("with %d MiB the edge accepts %d bytes, want %d", mib, got, want)
		}
	}
}
