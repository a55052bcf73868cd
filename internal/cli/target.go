package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/client"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/artifact/build"
)

// target is the project that a deploy or a push goes to.
type target struct {
	slug    string
	project wire.Project // without an id while it does not exist
	tie     tie          // of the app
	link    bool         // write the tie when the project exists
}

// exists reports whether the server has the project.
func (t target) exists() bool { return t.project.ID != "" }

// chooseProject returns the project that the app in dir belongs to: that of --project, else that of
// its anchor.json. For an app without one it asks, or takes a new project of the app's name when yes
// is set. It never takes an existing project because of its name: the site of another app would be
// replaced.
func (s *shell) chooseProject(ctx context.Context, c *client.Client, dir string, yes bool) (target, error) {
	t, err := findAppTie(dir)
	if err != nil {
		return target{}, err
	}
	slug := s.project
	switch {
	case slug != "":
	case t.bound():
		p, err := s.checkTie(ctx, c, t)
		return target{slug: p.Slug, project: p, tie: t}, err
	default:
		if slug, err = recallProject(dir); err != nil {
			return target{}, err
		}
	}
	if slug == "" {
		if slug, err = s.nameProject(ctx, c, dir, yes); err != nil {
			return target{}, err
		}
	}
	found := target{slug: slug, tie: t, link: !t.bound() && filepath.Base(dir) != build.TreeName}
	if found.tie.dir == "" {
		found.tie.dir = dir
	}
	found.project, err = c.Project(ctx, slug)
	if errors.Is(err, anchor.ErrNotFound) {
		return found, anchor.CheckSlug(slug)
	}
	found.slug = cmp.Or(found.project.Slug, slug)
	return found, err
}

// nameProject returns the slug of the project that an app without anchor.json is deployed to.
func (s *shell) nameProject(ctx context.Context, c *client.Client, dir string, yes bool) (string, error) {
	slug := anchor.Slugify(packageName(dir))
	if slug == "" {
		slug = folderSlug(dir)
	}
	taken := false
	if slug != "" {
		_, err := c.Project(ctx, slug)
		if err != nil && !errors.Is(err, anchor.ErrNotFound) {
			return "", err
		}
		taken = err == nil
	}
	switch {
	case s.IsTerminal && !s.json && (!yes || taken || slug == ""):
		return s.askProject(dir, slug, taken)
	case taken:
		return "", anchor.Conflict("not_linked", "the folder %s is not tied to a project, and there is already a project %s", dir, slug).
			Hintf("If the app belongs to that project, run anchor link %s\nTo create another project for it, run anchor deploy --project SLUG", slug)
	case slug == "":
		return "", anchor.Invalid("not_linked", "the folder %s is not tied to a project", dir).
			Hintf("To choose or create one, run anchor deploy --project SLUG")
	case !yes:
		return "", anchor.Invalid("not_linked", "the folder %s is not tied to a project", dir).
			Hintf("To create the project %s for it, run anchor deploy --yes\nTo choose one, run anchor deploy --project SLUG", slug)
	}
	return slug, nil
}

// askProject asks for the project of a folder. The answer may name an existing one: then it is meant.
func (s *shell) askProject(dir, slug string, taken bool) (string, error) {
	fmt.Fprintf(s.Err, "The folder %s is not tied to a project.\n", dir)
	switch {
	case taken:
		fmt.Fprintf(s.Err, "There is already a project %s. To deploy to it and replace its site, type its slug;\n"+
			"to create another project, type a new slug: ", slug)
		slug = ""
	case slug == "":
		fmt.Fprint(s.Err, "Type the slug of a new or an existing project: ")
	default:
		fmt.Fprintf(s.Err, "To create the project %s, press Enter. Or type the slug of a new or an existing one: ", slug)
	}
	line, err := s.readLine()
	if slug = cmp.Or(line, slug); err != nil || slug == "" {
		return "", usagef("no project was chosen; nothing was deployed")
	}
	return slug, anchor.CheckSlug(slug)
}

// createProject makes the target's project. Another first deploy may be making it at the same time:
// created is false then.
func (t *target) createProject(ctx context.Context, c *client.Client, branch string) (created bool, err error) {
	t.project, err = c.CreateProject(ctx, t.slug, branch)
	if anchor.CodeOf(err) == "slug_taken" {
		t.project, err = c.Project(ctx, t.slug)
		return false, err
	}
	return err == nil, err
}

// writeTie stores in anchor.json which project and server the folder belongs to.
func (s *shell) writeTie(t tie, p wire.Project) error {
	base, _, err := s.server()
	if err != nil {
		return err
	}
	t.ProjectID, t.Project, t.Server = p.ID, p.Slug, strings.TrimRight(base, "/")
	return build.WriteSettings(t.dir, t.Settings)
}

// productionBranch returns the branch of a new project that goes live: the remote's default branch,
// else main or master where there is one, else the branch that is checked out, else main.
func productionBranch(ctx context.Context, dir string, c commit) string {
	if head := runGit(ctx, dir, "symbolic-ref", "--short", "refs/remotes/origin/HEAD"); head != "" {
		return strings.TrimPrefix(head, "origin/")
	}
	for _, name := range []string{"main", "master"} {
		if runGit(ctx, dir, "rev-parse", "--verify", "--quiet", "refs/heads/"+name) != "" {
			return name
		}
	}
	return cmp.Or(runGit(ctx, dir, "symbolic-ref", "--short", "HEAD"), c.branch, "main")
}
