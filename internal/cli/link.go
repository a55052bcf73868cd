package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/build"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

type linkOptions struct {
	project, root string
}

func (s *shell) linkCommand() *cobra.Command {
	var o linkOptions
	cmd := &cobra.Command{
		Use: "link [PROJECT]", Short: "Tie this folder to a project", Args: cobra.MaximumNArgs(1),
		Long: "Stores in anchor.json which project of which server this folder belongs to.\n" +
			"Commit the file: then everyone who deploys from the repository deploys to that\n" +
			"project. In a monorepo it also says which folder contains the app.",
		Example: "  anchor link shop\n  anchor link shop --root-directory apps/web",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.project = s.project
			if len(args) == 1 {
				o.project = args[0]
			}
			return s.runLink(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.root, "root-directory", "", "folder of the app in a monorepo, such as apps/web")
	return cmd
}

// linked is what link --json prints.
type linked struct {
	Project       string           `json:"project"`
	ProjectID     anchor.ProjectID `json:"projectId"`
	Server        string           `json:"server"`
	File          string           `json:"file"`
	RootDirectory string           `json:"rootDirectory,omitempty"`
}

func (s *shell) runLink(ctx context.Context, o linkOptions) error {
	dir, err := filepath.Abs(".")
	if err != nil {
		return fmt.Errorf("find the folder: %w", err)
	}
	t, err := findAppTie(dir)
	if err != nil {
		return err
	}
	if t.dir == "" {
		t.dir = dir
	}
	if t.RootDirectory, err = chooseRoot(t, o.root); err != nil {
		return err
	}
	if o.project == "" && s.IsTerminal && !s.json {
		fmt.Fprint(s.Err, "The slug of the project (anchor projects lists them): ")
		if o.project, err = s.readLine(); err != nil {
			return err
		}
	}
	if o.project == "" {
		return usagef("anchor link needs the slug of a project")
	}
	c, err := s.newClient()
	if err != nil {
		return err
	}
	p, err := c.Project(ctx, o.project)
	if errors.Is(err, anchor.ErrNotFound) {
		return anchor.NotFound("unknown_project", "there is no project %s on the server", o.project).
			Hintf("To create it, run anchor projects create %s; to list the projects, run anchor projects", o.project)
	}
	if err != nil {
		return err
	}
	if err := s.writeTie(t, p); err != nil {
		return err
	}
	base, _, err := s.server()
	if err != nil {
		return err
	}
	out := linked{
		Project: p.Slug, ProjectID: p.ID, Server: strings.TrimRight(base, "/"), RootDirectory: t.RootDirectory,
		File: filepath.Join(t.dir, build.SettingsName),
	}
	return s.printResult(out, func(w io.Writer) {
		fmt.Fprintf(w, "%s This folder is tied to %s. Commit %s.\n", s.paintText(green, "✓"), p.Slug, build.SettingsName)
	})
}

// chooseRoot returns the rootDirectory of an anchor.json: the one that was asked for, else the one that
// it has, else that of the only app below a folder without one.
func chooseRoot(t tie, asked string) (string, error) {
	if asked != "" {
		return asked, checkRoot(t.dir, asked)
	}
	if t.RootDirectory != "" {
		return t.RootDirectory, nil
	}
	if _, err := opennext.FindApp(t.dir); err == nil {
		return "", nil
	}
	apps := opennext.AppsBelow(t.dir)
	switch len(apps) {
	case 0:
		return "", nil // it is the folder of an app yet to be written
	case 1:
		return apps[0], nil
	}
	return "", anchor.Invalid("choose_app", "there are several Next.js apps in %s: %s", t.dir, strings.Join(apps, ", ")).
		Hintf("Choose one with --root-directory %s", apps[0])
}

// checkRoot refuses a rootDirectory that is not a folder below dir.
func checkRoot(dir, root string) error {
	top, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open the folder: %w", err)
	}
	defer top.Close()
	info, err := top.Stat(root) // follows no link out of dir
	if err == nil && info.IsDir() {
		return nil
	}
	e := anchor.Invalid("no_root_directory", "%s has no folder %q that an app could be in", dir, root).Because(err)
	if apps := opennext.AppsBelow(dir); len(apps) > 0 {
		return e.Hintf("The folders with a Next.js app are %s.", strings.Join(apps, ", "))
	}
	return e.Hintf("Set rootDirectory in %s to the app's folder, such as apps/web.", build.SettingsName)
}

// findApp returns the Next.js app in dir, and names those below when there is none.
func findApp(dir string) (opennext.App, error) {
	app, err := opennext.FindApp(dir)
	if code := anchor.CodeOf(err); code != "no_package_json" && code != "no_nextjs" {
		return app, err
	}
	apps := opennext.AppsBelow(dir)
	if len(apps) == 0 {
		return app, err
	}
	return app, anchor.Invalid("choose_app", "there is no Next.js app in %s itself, but in %s", dir, strings.Join(apps, ", ")).
		Hintf("To deploy one, run anchor deploy %s\nTo choose it for every deploy from this folder: anchor link PROJECT --root-directory %s", apps[0], apps[0])
}
