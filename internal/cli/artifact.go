package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/bundle"
	"github.com/anchor-deploy/anchor/internal/opennext"
)

// findTree gives the .open-next folder of the app in dir, which may be that folder.
func findTree(dir string) (string, error) {
	for _, tree := range []string{filepath.Join(dir, ".open-next"), dir} {
		for _, mark := range []string{"open-next.output.json", "server-function"} {
			if _, err := os.Stat(filepath.Join(tree, mark)); err == nil {
				return tree, nil
			}
		}
	}
	if tree := filepath.Join(dir, ".open-next"); isDir(tree) {
		// It knows unfinished builds and those for other platforms.
		_, err := opennext.Parse(os.DirFS(tree))
		return tree, err
	}
	return "", anchor.Invalid("no_artifact", "%s holds no OpenNext build", filepath.Join(dir, ".open-next")).
		Hintf("Leave --prebuilt away to build the app, or run npx open-next build first.")
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// scan reads the tree, refuses what could not be deployed, and lists what the
// server needs of it.
func scan(ctx context.Context, tree string) (bundle.Manifest, error) {
	if _, err := opennext.Parse(os.DirFS(tree)); err != nil {
		return bundle.Manifest{}, err
	}
	m, err := bundle.Scan(ctx, tree, opennext.Needed)
	if err != nil {
		return m, fmt.Errorf("read the build in %s: %w", tree, err)
	}
	return m, nil
}
