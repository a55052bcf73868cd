package app_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/app"
)

func TestALevelOfIsolationThatIsNotThereIsRefusedBeforeAnythingIsMade(t *testing.T) {
	c := config(t, t.TempDir())
	c.RequireIsolation = 4 // above the highest
	err := app.Run(t.Context(), c)
	if anchor.KindOf(err) != anchor.KindInvalid || !strings.Contains(err.Error(), "--require-isolation is 4") || anchor.HintOf(err) == "" {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(c.Data, "anchor.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the records: %v", err)
	}
}
