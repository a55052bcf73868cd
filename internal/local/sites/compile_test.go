package sites_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// compiledCode returns the files with compiled code of a deployment.
func (in *installation) compiledCode(t *testing.T, id string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(filepath.Join(in.dir, "platform"), "compiled", id, "*", "*"))
	must(t, err)
	return files
}

func TestProbe_CompilesForLaterStarts(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	_, d, _ := in.publishApp(t, "shop", platformtest.NewApp("one"))
	for end := time.Now().Add(time.Minute); len(in.compiledCode(t, string(d.ID))) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the deployment was not compiled")
		}
	}
	stray := filepath.Join(filepath.Join(in.dir, "platform"), "compiled", "01h00000000000000000000000", "default")
	must(t, os.MkdirAll(stray, 0o700))
	must(t, in.platform.Sweep(t.Context()))
	if _, err := os.Stat(stray); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the code of a deployment that has no site stays: %v", err)
	}
	if len(in.compiledCode(t, string(d.ID))) != 1 {
		t.Error("the sweep has removed the code of a deployment")
	}
	must(t, in.platform.Remove(t.Context(), d))
	if left := in.compiledCode(t, string(d.ID)); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
