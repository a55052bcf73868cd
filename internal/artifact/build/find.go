package build

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

// Checkout is a commit's files on disk.
type Checkout struct {
	Top     string // absolute: the folder of the repository
	Project anchor.Project
	// Folder is the app's folder in the repository, "" when the project sets none (anchor.RootVariable).
	Folder string
	// Contains refuses a folder that a link leads out of the checkout. nil: links are followed.
	Contains func(dir string) error
}

// FindApp returns the app of the project with its settings: the app in Folder, else in the rootDirectory
// of the anchor.json at the top, else in the folder whose anchor.json names the project, else at the top.
func (c Checkout) FindApp() (opennext.App, Settings, error) {
	settings, err := c.settings("")
	if err != nil {
		return opennext.App{}, settings, err
	}
	folder, named := c.Folder, anchor.RootVariable
	if folder == "" {
		folder, named = settings.RootDirectory, "rootDirectory"
	}
	if folder == "" {
		if folder, err = c.tiedFolder(); err != nil {
			return opennext.App{}, settings, err
		}
	}
	if folder != "" && !filepath.IsLocal(folder) {
		return opennext.App{}, settings, withRootHint(anchor.Invalid("bad_root_directory", "%s is %q, which is not a folder of the repository", named, folder))
	}
	app, err := c.appIn(folder)
	if own, e := c.settings(folder); err == nil && !own.IsZero() {
		settings, err = own, e
	}
	return app, settings, err
}

// settings returns the anchor.json of a folder of the repository, the zero value when there is none.
func (c Checkout) settings(folder string) (Settings, error) {
	s, err := ReadSettings(filepath.Join(c.Top, folder))
	if errors.Is(err, fs.ErrNotExist) {
		return Settings{}, nil
	}
	return s, err
}

// tiedFolder returns the folder of the app whose anchor.json names the project, "" when there is none or
// it is the top.
func (c Checkout) tiedFolder() (string, error) {
	for _, folder := range opennext.AppsBelow(c.Top) {
		s, err := c.settings(folder)
		if err != nil {
			return "", err
		}
		if s.ProjectID != "" && s.ProjectID == c.Project.ID || s.ProjectID == "" && s.Project != "" && s.Project == c.Project.Slug {
			return folder, nil
		}
	}
	return "", nil
}

// appIn returns the app in a folder of the repository; folder "" is the top.
func (c Checkout) appIn(folder string) (opennext.App, error) {
	dir := filepath.Join(c.Top, folder)
	if c.Contains != nil {
		if err := c.Contains(dir); err != nil {
			missing := anchor.Invalid("no_root_directory", "the repository has no folder %q", folder)
			if !errors.Is(err, fs.ErrNotExist) { // which says no more than the message, and names a folder of the server
				missing = missing.Because(err)
			}
			return opennext.App{}, withRootHint(missing)
		}
	}
	app, err := opennext.FindAppBelow(c.Top, dir)
	missing := (*anchor.Error)(nil)
	if !errors.As(err, &missing) || missing.Code != "no_package_json" && missing.Code != "no_nextjs" {
		return app, err
	}
	if folder != "" {
		return app, withRootHint(missing)
	}
	if apps := opennext.AppsBelow(c.Top); len(apps) > 0 {
		return app, anchor.Invalid("choose_app", "the Next.js app is not at the root of the repository but in %s", strings.Join(apps, ", ")).
			Hintf("Choose one in %s, and commit that: anchor link %s --root-directory %s\nOr set it for this project alone: anchor env set %s=%s --for build",
				SettingsName, c.Project.Slug, apps[0], anchor.RootVariable, apps[0])
	}
	return app, withRootHint(missing)
}

// withRootHint replaces the hint of an error about the app's folder: those of package opennext are
// for commands that run in it.
func withRootHint(err *anchor.Error) error {
	return err.Hintf("Use the app's path in the repository, such as apps/web, as rootDirectory in %s,\nor for this project alone: anchor env set %s=apps/web --for build", SettingsName, anchor.RootVariable)
}
