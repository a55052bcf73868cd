package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/client"
	"github.com/anchor-deploy/anchor/internal/retry"
)

func (s *shell) projectsCommand() *cobra.Command {
	var page pageFlags
	list := func(cmd *cobra.Command, _ []string) error { return s.runProjects(cmd.Context(), page) }
	ls := &cobra.Command{Use: "ls", Short: "List projects", Args: cobra.NoArgs, RunE: list}
	page.declareFlags(ls)
	cmd := parentCommand("projects", "List, create, set and remove projects", ls, s.createProjectCommand(), s.settingsCommand(), s.setSettingsCommand(), s.removeProjectCommand())
	cmd.RunE = list
	page.declareFlags(cmd)
	return cmd
}

func (s *shell) runProjects(ctx context.Context, page pageFlags) error {
	if err := page.checkFlags(); err != nil {
		return err
	}
	c, err := s.newClient()
	if err != nil {
		return err
	}
	list, err := c.Projects(ctx, page.Page)
	if err != nil {
		return err
	}
	return s.printResult(list, func(w io.Writer) {
		if len(list.Items) == 0 {
			fmt.Fprintln(w, "No projects yet. To create one, run anchor deploy.")
			return
		}
		var rows [][]string
		for _, p := range list.Items {
			where := p.URL
			if p.Removing {
				where = "being removed"
			}
			rows = append(rows, []string{p.Slug, p.ProductionBranch, formatAge(p.CreatedAt), where})
		}
		s.printTable(w, []string{"PROJECT", "BRANCH", "AGE", "URL"}, rows)
		s.printMore(w, list.Next)
	})
}

func (s *shell) createProjectCommand() *cobra.Command {
	var branch string
	cmd := &cobra.Command{
		Use: "create SLUG", Short: "Create a project", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.newClient()
			if err != nil {
				return err
			}
			p, err := c.CreateProject(cmd.Context(), args[0], branch)
			if err != nil {
				return err
			}
			return s.printResult(p, func(w io.Writer) { fmt.Fprintf(w, "Created %s. Its URL will be %s\n", p.Slug, p.URL) })
		},
	}
	cmd.Flags().StringVar(&branch, "production-branch", "main", "branch that is deployed to production")
	return cmd
}

func (s *shell) removeProjectCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "rm SLUG", Short: "Remove a project, its deployments and its files", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return s.removeProject(cmd.Context(), args[0], yes) },
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for confirmation")
	return cmd
}

type removed struct {
	Removed  string `json:"removed"`
	Removing bool   `json:"removing,omitempty"` // it continues on the server
}

func (s *shell) removeProject(ctx context.Context, slug string, yes bool) error {
	c, err := s.newClient()
	if err != nil {
		return err
	}
	p, err := c.Project(ctx, slug)
	if err != nil {
		return err
	}
	if !yes {
		if err := s.confirmRemoval(p.Project); err != nil {
			return err
		}
	}
	removing, err := c.DeleteProject(ctx, string(p.ID))
	if err != nil {
		return err
	}
	if removing && s.IsTerminal && !s.json {
		removing = s.awaitRemoval(ctx, c, p.Project)
	}
	return s.printResult(removed{Removed: p.Slug, Removing: removing}, func(w io.Writer) {
		if removing {
			fmt.Fprintf(w, "%s is being removed, which takes some minutes on AWS. To see when it is removed, run anchor projects.\n", p.Slug)
			return
		}
		fmt.Fprintf(w, "Removed %s.\n", p.Slug)
	})
}

// awaitRemoval waits until the project is removed. The removal continues when the user
// interrupts or a call fails, and is then reported as still running.
func (s *shell) awaitRemoval(ctx context.Context, c *client.Client, p anchor.Project) (removing bool) {
	fmt.Fprintf(s.Err, "%s is being removed. On AWS this takes some minutes. Ctrl-C stops waiting; the removal continues.\n", p.Slug)
	looks := retry.Policy{First: 200 * time.Millisecond, Longest: 5 * time.Second}
	err := retry.Poll(ctx, looks, func() (bool, error) {
		_, err := c.Project(ctx, string(p.ID))
		return false, err
	})
	return !errors.Is(err, anchor.ErrNotFound)
}

// confirmRemoval wants the slug typed again: a removal cannot be undone.
func (s *shell) confirmRemoval(p anchor.Project) error {
	return s.confirmName(p.Slug, "takes its site offline and permanently removes its deployments",
		"takes "+p.Slug+" offline and permanently removes its deployments")
}

// readLine reads a line from standard input, io.EOF when there is none.
func (s *shell) readLine() (string, error) {
	line, err := bufio.NewReader(s.In).ReadString('\n')
	if err != nil && line == "" {
		return "", err
	}
	return strings.TrimSpace(line), nil
}

// confirmName wants name typed again. It reports the effect of the removal to scripts as effect
// and to people as warning.
func (s *shell) confirmName(name, effect, warning string) error {
	if !s.IsTerminal || s.json {
		return usagef("removing %s %s; to confirm, add --yes", name, effect)
	}
	fmt.Fprintf(s.Err, "This %s.\nTo confirm, type its name: ", warning)
	line, err := s.readLine()
	if err != nil {
		return usagef("no name was typed; %s was not removed", name)
	}
	if line != name {
		return usagef("the name does not match; %s was not removed", name)
	}
	return nil
}
