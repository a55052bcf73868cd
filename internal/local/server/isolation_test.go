package server_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/server"
)

func TestRun_RefusesUnavailableIsolation(t *testing.T) {
	c := config(t, t.TempDir())
	c.RequireIsolation = 4 // above the highest
	err := server.Run(t.Context(), c)
	if anchor.KindOf(err) != anchor.KindInvalid || !strings.Contains(err.Error(), "--require-isolation is 4") || anchor.HintOf(err) == "" {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(c.Data, "anchor.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the records: %v", err)
	}
}

func TestStatus_ReportsReachableAddresses(t *testing.T) {
	r, _ := up(t, config(t, t.TempDir()))
	_, body := status(t, r, readToken(t, r))
	isolation, _ := body["isolation"].(map[string]any)
	name, _ := isolation["name"].(string)
	closed := strings.HasSuffix(name, "; workers cannot reach cloud metadata addresses or Anchor's API")
	_, why, open := strings.Cut(name, "; workers can reach cloud metadata addresses and Anchor's API: ")
	switch level, _ := isolation["level"].(float64); {
	case level < 3 && !strings.HasPrefix(why, "this takes level 3"):
		t.Errorf("at level %v it says %q", level, name)
	case closed == open, open && why == "":
		t.Errorf("it says %q", name)
	}
}
