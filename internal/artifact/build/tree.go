package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

// TreeName is the folder that OpenNext builds in.
const TreeName = ".open-next"

// FindTree returns the .open-next folder of the app in dir, which may be that folder.
func FindTree(dir string) (string, error) {
	for _, tree := range []string{filepath.Join(dir, TreeName), dir} {
		if err := ownTree(tree); err != nil {
			return "", err
		}
		for _, mark := range []string{"open-next.output.json", "server-function"} {
			if _, err := os.Lstat(filepath.Join(tree, mark)); err == nil {
				return tree, nil
			}
		}
	}
	if tree := filepath.Join(dir, TreeName); isDir(tree) {
		// It knows unfinished builds and those for other platforms.
		_, err := parse(tree)
		return tree, err
	}
	return "", anchor.Invalid("no_artifact", "%q does not contain an OpenNext build", filepath.Join(dir, TreeName)).
		Hintf("Run npx open-next build first, or omit --prebuilt to let Anchor build the app.")
}

// ownTree refuses an .open-next that is a link: in somebody else's repository it may lead
// to any folder of this machine.
func ownTree(tree string) error {
	if filepath.Base(tree) != TreeName {
		return nil
	}
	info, err := os.Lstat(tree)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode()&fs.ModeSymlink == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("inspect the build: %w", err)
	}
	target, err := os.Readlink(tree)
	if err != nil {
		return fmt.Errorf("inspect the build: %w", err)
	}
	return anchor.Invalid("link_escapes", "%q is a symbolic link to %q", tree, target).
		Hintf("To deploy the folder that it points to, pass the path of that folder.")
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// parse reads the build and nothing outside its folder.
func parse(tree string) (anchor.Build, error) {
	root, err := os.OpenRoot(tree)
	if err != nil {
		return anchor.Build{}, fmt.Errorf("open the build: %w", err)
	}
	defer root.Close()
	return opennext.Parse(root.FS())
}

// Output is a build on this machine that can be deployed.
type Output struct {
	Tree     string
	Found    artifact.Manifest // as the files lie there
	Manifest artifact.Manifest // as they are deployed
}

// Scan reads a build, refuses what could not be deployed, and lists what a server needs of it.
func Scan(ctx context.Context, tree string) (Output, error) {
	o := Output{Tree: tree}
	var err error
	// What leads out of the tree is named before anything in it is believed.
	if o.Found, err = artifact.Scan(ctx, tree, &artifact.Rules{Keep: opennext.Needed, Limits: artifact.DefaultLimits}); err != nil {
		return o, fmt.Errorf("read the build: %w", err)
	}
	if o.Manifest, err = o.Found.Inline(opennext.LinkHome, artifact.DefaultLimits); err != nil {
		return o, fmt.Errorf("read the build: %w", err)
	}
	_, err = parse(tree)
	return o, err
}
