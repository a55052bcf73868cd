package build

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// nextServer is where Next.js puts what runs on the server, below an app and below each function of an OpenNext build.
const nextServer = ".next/server"

// keepSourceMaps copies the source maps of the server's files beside these files, if next.config asks for them (experimental.serverSourceMaps):
// neither Next.js nor OpenNext lists them among the files of a function, and without them the stacks of errors name positions of the build only.
func keepSourceMaps(dir, tree string) error {
	app, err := os.OpenRoot(dir) // whose links may lead to any file of this machine
	if err != nil {
		return fmt.Errorf("keep the source maps: %w", err)
	}
	defer app.Close()
	if !wantsSourceMaps(app) {
		return nil
	}
	out, err := os.OpenRoot(tree)
	if err != nil {
		return fmt.Errorf("keep the source maps: %w", err)
	}
	defer out.Close()
	err = fs.WalkDir(out.FS(), "server-functions", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // an older OpenNext has one function elsewhere
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "node_modules":
			return fs.SkipDir
		case !entry.Type().IsRegular() || path.Ext(name) != ".js":
			return nil
		}
		_, inside, ok := strings.Cut(name, "/"+nextServer+"/")
		if !ok {
			return nil
		}
		return copyMap(app, out, filepath.Join(nextServer, inside)+".map", name+".map")
	})
	if err != nil {
		return fmt.Errorf("keep the source maps: %w", err)
	}
	return nil
}

// wantsSourceMaps reads the configuration that Next.js has built with.
func wantsSourceMaps(app *os.Root) bool {
	text, err := app.ReadFile(".next/required-server-files.json")
	if err != nil {
		return false
	}
	var built struct {
		Config struct {
			Experimental struct{ ServerSourceMaps bool }
		}
	}
	return json.Unmarshal(text, &built) == nil && built.Config.Experimental.ServerSourceMaps
}

// copyMap copies a map, unless there is none, or one already.
func copyMap(from, to *os.Root, source, target string) error {
	info, err := from.Lstat(source)
	if err != nil || !info.Mode().IsRegular() {
		return nil //nolint:nilerr // no map
	}
	in, err := from.Open(source)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := to.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
