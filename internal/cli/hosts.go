package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

type connectOptions struct {
	wire.Connect
	remote     string // of Git, whose URL is the default of the repository
	tokenStdin bool
	appKeyFile string
	url        string
	setUp      bool
}

func (s *shell) connectCommand() *cobra.Command {
	cmd := parentCommand("connect", "Build what is pushed to a repository elsewhere",
		s.connectHostCommand(anchor.GitHub, "GitHub or GitHub Enterprise Server"),
		s.connectHostCommand(anchor.GitLab, "GitLab"),
		s.connectHostCommand(anchor.Gitea, "Gitea or Forgejo"),
		s.connectHostCommand(anchor.Bitbucket, "Bitbucket Cloud"),
		s.connectHostCommand(anchor.Plain, "any Git server, by a deploy hook"),
		s.showConnectionCommand(), s.pullsCommand(), s.approveCommand(), s.trustHostKeyCommand(), s.disconnectCommand())
	cmd.Long = "Connects the project to a repository at a host. When a branch is pushed there,\n" +
		"the host calls this server, which clones the commit, builds it and deploys it:\n" +
		"the production branch goes live, every other branch is a preview. With a token\n" +
		"Anchor writes commit statuses and one comment for each pull request.\n\n" +
		"What to set up at each host is in docs/git.md."
	cmd.Example = "  anchor connect github --token-stdin --set-up <token.txt\n  anchor connect show"
	return cmd
}

func (s *shell) connectHostCommand(host anchor.Host, what string) *cobra.Command {
	o := connectOptions{Connect: wire.Connect{Host: host}}
	cmd := &cobra.Command{
		Use: string(host), Short: "Connect to " + what, Args: cobra.NoArgs,
		Long: "Connects the project to a repository at " + what + ",\n" +
			"and prints what to enter there. Run again, it changes the connection and keeps\n" +
			"the secret, the deploy key and the token. Needs an admin token of Anchor.",
		Example: "  anchor connect " + string(host) + " --repository " + exampleURL[host],
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.connectHost(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.Repository, "repository", "", "URL to clone (default: that of the Git remote)")
	f.StringVar(&o.remote, "remote", "origin", "Git remote of this folder whose URL is the default")
	f.StringVar(&o.url, "url", "", "URL of this server as the host sees it (default: ANCHOR_URL)")
	f.StringArrayVar(&o.WatchPaths, "watch", nil, "only build commits that change this path, such as 'apps/web/**'; may be repeated")
	f.BoolVar(&o.Rotate, "rotate", false, "replace the secret and the deploy key")
	if host == anchor.Plain {
		return cmd
	}
	f.StringVar(&o.APIURL, "api", "", "root of the host's API (default: derived from the repository)")
	f.BoolVar(&o.tokenStdin, "token-stdin", false, "read a token of the host from standard input")
	f.BoolVar(&o.setUp, "set-up", false, "create the webhook and the deploy key with the token")
	if host == anchor.GitHub {
		f.Int64Var(&o.AppID, "app-id", 0, "id of a GitHub App, in place of a token")
		f.Int64Var(&o.Install, "installation-id", 0, "id of the app's installation")
		f.StringVar(&o.appKeyFile, "app-key", "", "file with the app's private key")
	}
	return cmd
}

var exampleURL = map[anchor.Host]string{
	anchor.GitHub: "git@github.com:acme/shop.git", anchor.GitLab: "git@gitlab.com:acme/shop.git",
	anchor.Gitea: "git@git.example.com:acme/shop.git", anchor.Bitbucket: "git@bitbucket.org:acme/shop.git",
	anchor.Plain: "git@git.example.com:shop.git",
}

// connection is what connect --json prints.
type connection struct {
	Project string `json:"project"`
	anchor.Connected
	HookURL       string `json:"hookUrl"`
	DeployHookURL string `json:"deployHookUrl,omitempty"`
}

// repositoryName names the repository for users.
func (c connection) repositoryName() string {
	if c.Host == anchor.Plain {
		return cleanText(c.Repository)
	}
	return cleanText(c.Name) + " at " + string(c.Host)
}

func (s *shell) connectHost(ctx context.Context, o connectOptions) error {
	if err := s.readConnect(ctx, &o); err != nil {
		return err
	}
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	root, err := s.publicRoot(o.url)
	if err != nil {
		return err
	}
	if o.setUp {
		if isLoopbackURL(root) {
			return usagef("the host cannot call %s; name this server as the host sees it: --url https://anchor.example.com", root)
		}
		o.HookURL = root
	}
	made, err := c.Connect(ctx, project, o.Connect)
	if err != nil {
		return err
	}
	out := connectionOf(project, root, made)
	return s.printResult(out, func(w io.Writer) {
		fmt.Fprintf(w, "%s %s is connected to %s\n\n", s.paintText(green, "✓"), project, out.repositoryName())
		s.printConnection(w, out)
		if o.setUp {
			fmt.Fprintf(w, "\nThe webhook and the deploy key are set up. Push a branch to see it work.\n")
			return
		}
		fmt.Fprintf(w, "\n%s\n", setupText(out))
	})
}

// readConnect completes the options by what is read of standard input, a file and Git.
func (s *shell) readConnect(ctx context.Context, o *connectOptions) error {
	if o.Repository == "" {
		if !remoteName.MatchString(o.remote) {
			return usagef("--remote is %q, which cannot be the name of a remote", o.remote)
		}
		if o.Repository = runGit(ctx, ".", "remote", "get-url", o.remote); o.Repository == "" {
			return usagef("this folder has no Git remote %s; name the repository: --repository URL", o.remote)
		}
	}
	if o.tokenStdin {
		token, err := s.readValue()
		if err != nil {
			return fmt.Errorf("read the token from standard input: %w", err)
		}
		if o.Token = strings.TrimSpace(token); o.Token == "" {
			return usagef("standard input has no token")
		}
	}
	if o.appKeyFile != "" {
		key, err := os.ReadFile(o.appKeyFile)
		if err != nil {
			return fmt.Errorf("read the key of the GitHub App: %w", err)
		}
		o.AppKey = string(key)
	}
	return nil
}

// publicRoot returns the URL of the server as the host sees it.
func (s *shell) publicRoot(given string) (string, error) {
	if given == "" {
		base, _, err := s.server()
		return strings.TrimRight(base, "/"), err
	}
	u, err := url.Parse(given)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", usagef("--url is %q, which is not an http or https URL", given)
	}
	return strings.TrimRight(given, "/"), nil
}

func isLoopbackURL(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

func connectionOf(project, root string, c anchor.Connected) connection {
	out := connection{Project: project, Connected: c, HookURL: root + c.HookPath}
	if c.DeployHookPath != "" {
		out.DeployHookURL = root + c.DeployHookPath
	}
	return out
}

func (s *shell) printConnection(w io.Writer, c connection) {
	rows := [][]string{{"Repository", cleanText(c.Repository)}}
	if c.Host != anchor.Plain {
		rows = append(rows, []string{"Webhook", c.HookURL})
	}
	if c.Secret != "" {
		rows = append(rows, []string{"Secret", c.Secret})
	}
	if c.DeployHookURL != "" {
		rows = append(rows, []string{"Deploy hook", c.DeployHookURL})
	}
	rows = append(rows, []string{"Deploy key", c.DeployKey})
	if c.HostKey != "" {
		rows = append(rows, []string{"Server's key", cleanText(strings.ReplaceAll(c.HostKey, "\n", "; "))})
	}
	if len(c.WatchPaths) > 0 {
		rows = append(rows, []string{"Watches", cleanText(strings.Join(c.WatchPaths, ", "))})
	}
	for _, row := range rows {
		fmt.Fprintf(w, "%-13s %s\n", row[0], row[1])
	}
	if !c.HasToken && c.Host != anchor.Plain {
		fmt.Fprintln(w, "\nWithout a token Anchor writes no statuses and comments: add one with --token-stdin.")
	}
	if c.Problem != "" {
		fmt.Fprintf(w, "\n%s\n", s.paintText(red, "The last report to the host failed: "+cleanText(c.Problem)))
	}
	if isLoopbackURL(c.HookURL) {
		fmt.Fprintf(w, "\nThe URLs name this machine. A host elsewhere needs the server's public name:\nanchor up --admin-domain anchor.example.com, then --url https://anchor.example.com\n")
	}
}

// setupText says what to enter at the host, and which permissions a token needs.
func setupText(c connection) string {
	page := "https://" + pageHost(c) + "/" + c.Name
	switch c.Host {
	case anchor.GitHub:
		return "At " + page + "/settings/hooks add the webhook: content type application/json, the\n" +
			"secret, the events \"Pushes\" and \"Pull requests\". At " + page + "/settings/keys add the\n" +
			"deploy key, without write access. A token (fine-grained) needs for this repository:\n" +
			"commit statuses, deployments and pull requests: write; contents: read when the\n" +
			"repository's URL is https. For --set-up also webhooks and administration: write."
	case anchor.GitLab:
		return "At " + page + "/-/hooks add the webhook: the secret as secret token (or signing token),\n" +
			"the triggers \"Push events\" and \"Merge request events\". At " + page + "/-/settings/repository\n" +
			"add the deploy key, without write access. A token needs the role Developer and the\n" +
			"scope api; for --set-up the role Maintainer."
	case anchor.Gitea:
		return "At " + page + "/settings/hooks add a webhook of type Gitea (or Forgejo): content type\n" +
			"application/json, the secret, the events push, pull request and pull request\n" +
			"synchronized. At " + page + "/settings/keys add the deploy key. A token needs the scopes\n" +
			"write:repository and write:issue."
	case anchor.Bitbucket:
		return "At " + page + "/admin/webhooks add the webhook: the secret, the triggers repository\n" +
			"push, and pull request created, updated, merged and declined. At " + page + "/admin/access-keys\n" +
			"add the deploy key. A repository access token needs repositories: read and pull\n" +
			"requests: write; for --set-up also webhooks: read and write, repositories: admin."
	}
	return "Let the Git server, or its CI, request the deploy hook with POST after a push; &branch=NAME\n" +
		"builds another branch than the production branch. Add the deploy key to the repository\n" +
		"if it is cloned over ssh."
}

// pageHost returns the server that shows the repository in a browser.
func pageHost(c connection) string {
	public := map[anchor.Host]string{anchor.GitHub: "github.com", anchor.GitLab: "gitlab.com", anchor.Bitbucket: "bitbucket.org"}
	if c.APIURL == "" {
		return public[c.Host]
	}
	if u, err := url.Parse(c.APIURL); err == nil {
		return u.Host
	}
	return c.APIURL
}

func (s *shell) showConnectionCommand() *cobra.Command {
	var reveal bool
	var root string
	cmd := &cobra.Command{
		Use: "show", Short: "Show the connection and what the host delivered", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.showConnection(cmd.Context(), reveal, root) },
	}
	cmd.Flags().BoolVar(&reveal, "reveal", false, "also show the secret and the deploy hook (needs an admin token)")
	cmd.Flags().StringVar(&root, "url", "", "URL of this server as the host sees it (default: ANCHOR_URL)")
	return cmd
}

func (s *shell) showConnection(ctx context.Context, reveal bool, given string) error {
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	root, err := s.publicRoot(given)
	if err != nil {
		return err
	}
	found, err := c.Connection(ctx, project, reveal)
	if err != nil {
		return err
	}
	out := connectionOf(project, root, found)
	return s.printResult(out, func(w io.Writer) {
		fmt.Fprintf(w, "%s is connected to %s\n\n", project, out.repositoryName())
		s.printConnection(w, out)
		fmt.Fprintln(w)
		if len(out.Deliveries) == 0 {
			fmt.Fprintln(w, "The host has delivered nothing yet.")
			return
		}
		var rows [][]string
		for _, d := range out.Deliveries {
			outcome, _, _ := strings.Cut(d.Outcome, "\n")
			if outcome == "" {
				outcome = "is processed"
			}
			rows = append(rows, []string{formatAge(d.ReceivedAt), cleanText(d.Summary), cleanText(outcome)})
		}
		s.printTable(w, []string{"AGE", "DELIVERY", "OUTCOME"}, rows)
	})
}
