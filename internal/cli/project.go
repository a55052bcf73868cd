package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/client"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/artifact/build"
)

// remembered is .anchor/project.json, by which versions before anchor.json knew the project of a
// folder.
type remembered struct {
	Project string `json:"project"`
}

// tie is an anchor.json and the folder that contains it, which is "" when there is none.
type tie struct {
	build.Settings
	dir string // absolute
}

// bound reports whether it names a project: one that has only settings of the build does not.
func (t tie) bound() bool { return t.ProjectID != "" || t.Project != "" }

// findTie returns the anchor.json of dir or of the nearest folder above.
func findTie(dir string) (tie, error) {
	for {
		s, err := build.ReadSettings(dir)
		if err == nil {
			return tie{Settings: s, dir: dir}, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return tie{}, err
		}
		above := filepath.Dir(dir)
		if above == dir {
			return tie{}, nil
		}
		dir = above
	}
}

// findAppTie returns the anchor.json that is about the app in dir: that of the folder itself, or one
// above whose rootDirectory the folder is. Another app of a monorepo is not tied by its neighbor.
func findAppTie(dir string) (tie, error) {
	t, err := findTie(dir)
	if err != nil || t.dir == dir || t.dir != "" && filepath.Join(t.dir, t.RootDirectory) == dir {
		return t, err
	}
	return tie{}, nil
}

// projectFor returns the slug of the project of dir: --project, else that of the anchor.json there or
// above.
func (s *shell) projectFor(ctx context.Context, c *client.Client, dir string) (string, error) {
	if s.project != "" {
		return s.project, nil
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the project's folder: %w", err)
	}
	t, err := findTie(dir)
	if err != nil {
		return "", err
	}
	if t.bound() {
		p, err := s.checkTie(ctx, c, t)
		return p.Slug, err
	}
	for at := dir; ; at = filepath.Dir(at) {
		if slug, err := recallProject(at); slug != "" || err != nil {
			return slug, err
		}
		if at == filepath.Dir(at) {
			break
		}
	}
	return "", anchor.Invalid("no_project", "no project was specified, and %s is not tied to one", dir).
		Hintf("Tie it to a project: anchor link PROJECT. Or use --project SLUG.\nTo list the projects, run anchor projects.")
}

// checkTie returns the project that t names, and refuses when the server in use is not the one of t
// or does not have that project.
func (s *shell) checkTie(ctx context.Context, c *client.Client, t tie) (wire.Project, error) {
	base, _, err := s.server()
	if err != nil {
		return wire.Project{}, err
	}
	name := filepath.Join(t.dir, build.SettingsName)
	if t.Server != "" && !sameServer(t.Server, base) {
		return wire.Project{}, anchor.Conflict("other_server", "%s ties this folder to the server %s, but the server in use is %s", name, t.Server, base).
			Hintf("To use that server, set ANCHOR_URL=%s\nTo tie the folder to the server in use, run anchor link PROJECT", t.Server)
	}
	if t.ProjectID == "" {
		return c.Project(ctx, t.Project)
	}
	p, err := c.Project(ctx, string(t.ProjectID))
	if !errors.Is(err, anchor.ErrNotFound) {
		return p, err
	}
	e := anchor.Conflict("other_project", "%s ties this folder to project %s (%s), which the server %s does not have", name, t.Project, t.ProjectID, base).Because(err)
	if _, err := c.Project(ctx, t.Project); err == nil {
		return p, e.Hintf("The server has another project with this slug. If the folder belongs to it, run anchor link %s", t.Project)
	}
	return p, e.Hintf("To deploy it as a new project, run anchor projects create %s and then anchor link %s", t.Project, t.Project)
}

// sameServer reports whether two URLs are of one server. Those of this machine are: its server may
// use another port at each start.
func sameServer(a, b string) bool {
	ua, errA := url.Parse(a)
	ub, errB := url.Parse(b)
	if errA != nil || errB != nil {
		return false
	}
	if isLoopback(ua.Hostname()) && isLoopback(ub.Hostname()) {
		return true
	}
	return ua.Scheme == ub.Scheme && strings.EqualFold(ua.Hostname(), ub.Hostname()) &&
		portOf(ua) == portOf(ub) && strings.TrimRight(ua.Path, "/") == strings.TrimRight(ub.Path, "/")
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// recallProject reads the slug of .anchor/project.json in dir, "" when there is none.
func recallProject(dir string) (string, error) {
	name := filepath.Join(dir, build.StateDir, "project.json")
	content, err := readOwn(dir, build.StateDir+"/project.json", maxSettings)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the project of this folder: %w", err)
	}
	var r remembered
	if err := json.Unmarshal(content, &r); err != nil {
		return "", anchor.Invalid("bad_project_file", "%s is not valid JSON", name).Because(err).
			Hintf("Remove the file, or use --project SLUG.")
	}
	return r.Project, nil
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
