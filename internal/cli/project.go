package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/build"
)

// remembered is .anchor/project.json.
type remembered struct {
	Project string `json:"project"`
}

// projectFor returns the slug of the app in dir: --project, else the one that a deploy
// remembered there or above, else the package's or folder's name.
func (s *shell) projectFor(dir string) (string, error) {
	if s.project != "" {
		return s.project, nil
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the project's folder: %w", err)
	}
	if slug, err := recallProject(dir); slug != "" || err != nil {
		return slug, err
	}
	if slug := anchor.Slugify(packageName(dir)); slug != "" {
		return slug, nil
	}
	return "", anchor.Invalid("no_project", "no project was specified, and %s has no package.json with a name", dir).
		Hintf("Use --project SLUG. To list the projects, run anchor projects.")
}

func recallProject(dir string) (string, error) {
	for ; ; dir = filepath.Dir(dir) {
		name := filepath.Join(dir, build.StateDir, "project.json")
		content, err := readOwn(dir, build.StateDir+"/project.json", maxSettings)
		if err == nil {
			var r remembered
			if err := json.Unmarshal(content, &r); err != nil {
				return "", anchor.Invalid("bad_project_file", "%s is not valid JSON", name).Because(err).
					Hintf("Remove the file, or use --project SLUG.")
			}
			return r.Project, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("read the project of this folder: %w", err)
		}
		if dir == filepath.Dir(dir) {
			return "", nil
		}
	}
}

func packageName(dir string) string {
	content, err := readOwn(dir, "package.json", maxSettings)
	if err != nil {
		return ""
	}
	var p struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(content, &p) != nil {
		return "" // building the app reports what is wrong with it
	}
	return p.Name
}

func rememberProject(dir, slug string) error {
	content, err := json.Marshal(remembered{Project: slug})
	if err == nil {
		err = build.InState(dir, func(state *os.Root) error {
			return state.WriteFile("project.json", append(content, '\n'), 0o644)
		})
	}
	if err != nil {
		return fmt.Errorf("store the project of this folder: %w", err)
	}
	return nil
}
