package build

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// StateDir is Anchor's folder in an app: the project it belongs to, the log of the last build, the
// configuration of OpenNext while a build runs. It ignores itself in git.
const StateDir = ".anchor"

// InState calls do with Anchor's folder in the app, which it creates. It writes nothing outside
// that folder, whatever links a repository contains.
func InState(dir string, do func(state *os.Root) error) error {
	app, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open the app's folder: %w", err)
	}
	defer app.Close()
	if info, err := app.Lstat(StateDir); err == nil && !info.IsDir() {
		return anchor.Invalid("bad_state_folder", "%q is not a folder", filepath.Join(dir, StateDir)).
			Hintf("Remove it; Anchor creates a folder with this name.")
	}
	if err := app.MkdirAll(StateDir, 0o755); err != nil {
		return fmt.Errorf("create Anchor's folder in the app: %w", err)
	}
	state, err := app.OpenRoot(StateDir)
	if err != nil {
		return fmt.Errorf("open Anchor's folder in the app: %w", err)
	}
	defer state.Close()
	if err := state.WriteFile(".gitignore", []byte("*\n"), 0o644); err != nil {
		return fmt.Errorf("create Anchor's folder in the app: %w", err)
	}
	return do(state)
}
