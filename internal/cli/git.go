package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/local/discovery"
)

type gitOptions struct {
	remote    string
	printOnly bool
}

func (s *shell) gitCommand() *cobra.Command {
	var o gitOptions
	cmd := &cobra.Command{
		Use: "git", Short: "Set up a Git remote to push to", Args: cobra.NoArgs,
		Long: "Adds the server as a remote of this Git repository, so that git push builds and\n" +
			"deploys: the production branch goes live, every other branch is a preview.\n" +
			"The project is created if it does not exist. Git asks Anchor for the token at\n" +
			"each push; the repository's configuration does not contain it.",
		Example: "  anchor git\n  anchor git --project shop --print",
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.setUpGit(cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.remote, "remote", "anchor", "name of the remote")
	cmd.Flags().BoolVar(&o.printOnly, "print", false, "print the command that adds the remote and change nothing")
	cmd.AddCommand(s.gitCredentialCommand())
	return cmd
}

// gitRemote is what git --json prints.
type gitRemote struct {
	Project string `json:"project"`
	Remote  string `json:"remote"`
	URL     string `json:"url"`
	Branch  string `json:"productionBranch"`
}

// remoteName matches names that are neither an option nor a path (git-check-ref-format(1)).
var remoteName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)

func (s *shell) setUpGit(ctx context.Context, o gitOptions) error {
	if !remoteName.MatchString(o.remote) {
		return usagef("--remote is %q, which cannot be the name of a remote", o.remote)
	}
	if !o.printOnly && runGit(ctx, ".", "rev-parse", "--git-dir") == "" {
		return usagef("this folder is not in a Git repository; run git init first, or use --print")
	}
	p, err := s.projectToPush(ctx, o.printOnly)
	if err != nil {
		return err
	}
	base, _, err := s.server()
	if err != nil {
		return err
	}
	remote := gitRemote{Project: p.Slug, Remote: o.remote, Branch: p.ProductionBranch, URL: strings.TrimRight(base, "/") + "/git/" + p.Slug + ".git"}
	if !o.printOnly {
		if err := addRemote(ctx, remote, base); err != nil {
			return err
		}
	}
	return s.printResult(remote, func(w io.Writer) {
		if o.printOnly {
			fmt.Fprintf(w, "git remote add %s %s\n", remote.Remote, remote.URL)
			return
		}
		fmt.Fprintf(w, "%s The remote %s is %s\n\n", s.paintText(green, "✓"), remote.Remote, remote.URL)
		fmt.Fprintf(w, "To deploy, run %s\n", s.paintText(cyan, "git push "+remote.Remote+" "+remote.Branch))
	})
}

// projectToPush returns the project of this folder. Unless that is only to be printed, it creates the
// project that does not exist and ties the folder to it.
func (s *shell) projectToPush(ctx context.Context, printOnly bool) (wire.Project, error) {
	c, err := s.newClient()
	if err != nil {
		return wire.Project{}, err
	}
	if printOnly {
		slug, err := s.projectFor(ctx, c, ".")
		if err != nil {
			return wire.Project{}, err
		}
		return c.Project(ctx, slug)
	}
	dir, err := filepath.Abs(".")
	if err != nil {
		return wire.Project{}, fmt.Errorf("find the folder: %w", err)
	}
	t, err := s.chooseProject(ctx, c, dir, false)
	if e := (*anchor.Error)(nil); errors.As(err, &e) && e.Code == "not_linked" {
		return wire.Project{}, e.Hintf("To choose or create one, run anchor git --project SLUG")
	}
	if err != nil {
		return wire.Project{}, err
	}
	if !t.exists() {
		if _, err := t.createProject(ctx, c, productionBranch(ctx, dir, readCommit(ctx, dir))); err != nil {
			return wire.Project{}, err
		}
	}
	if !t.link {
		return t.project, nil
	}
	return t.project, s.writeTie(t.tie, t.project)
}

// addRemote sets the remote and makes Git ask Anchor for the token of the server at base.
func addRemote(ctx context.Context, r gitRemote, base string) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the path of anchor: %w", err)
	}
	origin, err := originOf(base)
	if err != nil {
		return err
	}
	add := []string{"remote", "add", r.Remote, r.URL}
	if runGit(ctx, ".", "config", "--get", "remote."+r.Remote+".url") != "" {
		add = []string{"remote", "set-url", r.Remote, r.URL}
	}
	helper := "credential." + origin + ".helper"
	for _, args := range [][]string{
		add,
		// The empty value keeps other helpers from storing the token (gitcredentials(7)).
		{"config", "--local", "--replace-all", helper, ""},
		{"config", "--local", "--add", helper, "!'" + strings.ReplaceAll(program, "'", `'\''`) + "' git credential"},
	} {
		if out, err := exec.CommandContext(ctx, "git", args...).CombinedOutput(); err != nil {
			return anchor.Failed("git_failed", "git %s failed: %s", args[0], strings.TrimSpace(string(out))).Because(err).
				Hintf("Add the remote yourself: git remote add %s %s", r.Remote, r.URL)
		}
	}
	return nil
}

// originOf returns scheme, host and port of a URL.
func originOf(base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil {
		return "", fmt.Errorf("read the URL of the server: %w", err)
	}
	return u.Scheme + "://" + u.Host, nil
}

// gitCredentialCommand is the helper that Git runs (gitcredentials(7), "Custom helpers").
func (s *shell) gitCredentialCommand() *cobra.Command {
	return &cobra.Command{
		Use: "credential ACTION", Short: "Print the token for Git; Git runs this itself", Args: cobra.ExactArgs(1), Hidden: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if args[0] != "get" {
				return nil // there is nothing to store or erase
			}
			if token := s.tokenForGit(); token != "" {
				fmt.Fprintf(s.Out, "username=anchor\npassword=%s\n", token)
			}
			return nil
		},
	}
}

// maxCredential bounds what is read of Git's description of a credential.
const maxCredential = 64 << 10

// tokenForGit returns the token of the server that Git describes on standard input, "" when there
// is none: Git then asks its user.
func (s *shell) tokenForGit() string {
	wanted := map[string]string{}
	lines := bufio.NewScanner(io.LimitReader(s.In, maxCredential))
	for lines.Scan() && lines.Text() != "" {
		name, value, _ := strings.Cut(lines.Text(), "=")
		wanted[name] = value
	}
	origin := wanted["protocol"] + "://" + wanted["host"]
	if base, token, err := s.server(); err == nil {
		if here, err := originOf(base); err == nil && here == origin {
			return token
		}
	}
	if local, _, running := discovery.Find(); running && local.URL == origin {
		return local.Token
	}
	if remote, ok := discovery.FindRemote(origin); ok {
		return remote.Token
	}
	return ""
}
