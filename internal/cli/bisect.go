package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/client"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// The exit codes by which a check says what a deployment is, as for git bisect run.
const (
	checkSkips     = 125 // it cannot say
	checkNotRun    = 126 // from here on: the shell could not run the check, or a signal ended it
	checkURLWithin = 30 * time.Second
)

type bisectOptions struct {
	from, to string
	path     string
	command  []string
}

func (s *shell) bisectCommand() *cobra.Command {
	var o bisectOptions
	cmd := &cobra.Command{
		Use: "bisect [flags] -- COMMAND…", Short: "Find the deployment that broke something", Args: cobra.ArbitraryArgs,
		Long: "Finds the first deployment on which a check fails, among those that are kept\n" +
			"and are not previews. It checks the deployments' own URLs: nothing is built,\n" +
			"and what is live stays live. The number of checks grows with the logarithm of\n" +
			"the deployments.\n\n" +
			"COMMAND gets the URL of a deployment in ANCHOR_URL, and its id in\n" +
			"ANCHOR_DEPLOYMENT_ID. Its exit code says what the deployment is, as for git\n" +
			"bisect run: 0 is good, 125 skips it, 1 to 124 is bad, and any other ends the\n" +
			"search. --url-check needs no command: a deployment is good if the path answers\n" +
			"below 400.",
		Example: "  anchor bisect --url-check /checkout\n  anchor bisect --from ID -- sh -c 'curl -fs $ANCHOR_URL/prices | grep -q EUR'",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.command = args
			if (len(args) == 0) == (o.path == "") {
				return usagef("bisect needs a command after --, or --url-check with a path, and not both")
			}
			if o.path != "" && !strings.HasPrefix(o.path, "/") {
				return usagef("--url-check is %q; it must be a path that begins with /", o.path)
			}
			return s.runBisect(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.from, "from", "", "a deployment on which the check passes (default: the oldest that is kept)")
	cmd.Flags().StringVar(&o.to, "to", "", "a later one on which it fails (default: the live one)")
	cmd.Flags().StringVar(&o.path, "url-check", "", "check that this path answers with a status below 400")
	return cmd
}

// bisected is what bisect --json prints.
type bisected struct {
	FirstBad wire.Deployment       `json:"firstBad"`
	LastGood wire.Deployment       `json:"lastGood"`
	Author   string                `json:"author,omitempty"` // of the commit, where this folder has it
	Skipped  []anchor.DeploymentID `json:"skipped,omitempty"`
	Checks   int                   `json:"checks"`
}

// verdict is what a check says of a deployment.
type verdict int

const (
	good verdict = iota
	bad
	skipped
)

func (v verdict) String() string { return [...]string{"good", "bad", "skipped"}[v] }

func (s *shell) runBisect(ctx context.Context, o bisectOptions) error {
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	line, live, err := bisectable(ctx, c, project)
	if err != nil {
		return err
	}
	line, err = cutLine(line, live, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Err, "%s, about %s\n", pluralize(int64(len(line)), "deployment"), pluralize(int64(2+bits.Len(uint(len(line)-2))), "check"))
	b := &bisection{shell: s, options: o, line: line}
	found, err := b.run(ctx)
	if err != nil {
		return err
	}
	found.Author = authorOf(ctx, found.FirstBad.CommitSha)
	return s.printResult(found, func(w io.Writer) { s.printBisected(w, found) })
}

// bisectable returns the deployments of a project that can be asked and are no previews, oldest first, and which of
// them is live, "" for none.
func bisectable(ctx context.Context, c *client.Client, project string) (line []wire.Deployment, live anchor.DeploymentID, err error) {
	for page := (anchor.Page{Limit: anchor.MaxPage}); ; {
		list, err := c.Deployments(ctx, project, page)
		if err != nil {
			return nil, "", err
		}
		for _, d := range list.Items {
			if d.Live {
				live = d.Serves()
			}
			if d.CanServe() && !d.NoRelease && !d.Fork {
				line = append(line, d)
			}
		}
		if list.Next == "" {
			slices.SortFunc(line, func(a, b wire.Deployment) int { return a.Compare(b.Deployment) })
			return line, live, nil
		}
		page.Cursor = list.Next
	}
}

// cutLine returns the part of the line from the good deployment to the bad one.
func cutLine(line []wire.Deployment, live anchor.DeploymentID, o bisectOptions) ([]wire.Deployment, error) {
	from, to := 0, slices.IndexFunc(line, func(d wire.Deployment) bool { return d.ID == live })
	for _, end := range []struct {
		flag, id string
		at       *int
	}{{"--from", o.from, &from}, {"--to", o.to, &to}} {
		if end.id == "" {
			continue
		}
		*end.at = slices.IndexFunc(line, func(d wire.Deployment) bool { return string(d.ID) == end.id })
		if *end.at < 0 {
			return nil, anchor.NotFound("unknown_deployment", "%s is %s, which is a preview or not a kept deployment of this project", end.flag, end.id).
				Hintf("To list the deployments, run anchor deployments.")
		}
	}
	switch {
	case to < 0:
		return nil, anchor.Conflict("nothing_live", "no deployment is live").Hintf("Name one on which the check fails: --to ID.")
	case from >= to:
		return nil, anchor.Conflict("nothing_between", "there is no kept deployment before the bad one").
			Hintf("Choose another good one by --from and another bad one by --to; anchor deployments lists them. To keep more, start the server with --keep.")
	}
	return line[from : to+1], nil
}

// bisection searches the first bad deployment of a line that begins with a good one and ends with a bad one.
type bisection struct {
	*shell
	options bisectOptions
	line    []wire.Deployment
	checks  int
	skips   []int
}

func (b *bisection) run(ctx context.Context) (bisected, error) {
	low, high := 0, len(b.line)-1
	for _, end := range []struct {
		at   int
		want verdict
		hint string
	}{
		{high, bad, "Name a deployment on which it fails by --to."},
		{low, good, "Name an earlier deployment on which it passes by --from; anchor deployments lists them."},
	} {
		v, err := b.check(ctx, end.at)
		if err != nil {
			return bisected{}, err
		}
		if v != end.want {
			return bisected{}, anchor.Conflict("wrong_end", "deployment %s is %s, not %s, so there is nothing to search", b.line[end.at].ID, v, end.want).Hintf("%s", end.hint)
		}
	}
	for {
		at, ok := b.choose(low, high)
		if !ok {
			break
		}
		v, err := b.check(ctx, at)
		if err != nil {
			return bisected{}, err
		}
		switch v {
		case good:
			low = at
		case bad:
			high = at
		case skipped:
			b.skips = append(b.skips, at)
		}
	}
	found := bisected{FirstBad: b.line[high], LastGood: b.line[low], Checks: b.checks}
	for at := low + 1; at < high; at++ { // only skipped ones are left
		found.Skipped = append(found.Skipped, b.line[at].ID)
	}
	return found, nil
}

// choose returns the deployment nearest to the middle between the two that was not skipped; false when none is left.
func (b *bisection) choose(low, high int) (at int, ok bool) {
	middle := (low + high) / 2
	for distance := range high - low {
		for _, at := range []int{middle - distance, middle + distance} {
			if at > low && at < high && !slices.Contains(b.skips, at) {
				return at, true
			}
		}
	}
	return 0, false
}

func (b *bisection) check(ctx context.Context, at int) (v verdict, err error) {
	d := b.line[at]
	b.checks++
	if b.options.path != "" {
		v, err = checkURL(ctx, d.DeploymentURL+b.options.path)
	} else {
		v, err = b.runCheck(ctx, d)
	}
	if err != nil {
		return v, err
	}
	fmt.Fprintf(b.Err, "%-8s %s  %s\n", v, d.ID, cleanText(describeCommit(d)))
	return v, nil
}

// runCheck runs the command. What it prints goes to the error stream, so that the result can be read by itself.
func (b *bisection) runCheck(ctx context.Context, d wire.Deployment) (verdict, error) {
	cmd := exec.CommandContext(ctx, b.options.command[0], b.options.command[1:]...)
	cmd.Env = append(os.Environ(), "ANCHOR_URL="+d.DeploymentURL, "ANCHOR_DEPLOYMENT_ID="+string(d.ID))
	cmd.Stdout, cmd.Stderr = b.Err, b.Err
	err := cmd.Run()
	if ctx.Err() != nil {
		return skipped, ctx.Err()
	}
	if err == nil {
		return good, nil
	}
	exit := (*exec.ExitError)(nil)
	if !errors.As(err, &exit) {
		return skipped, anchor.Invalid("no_check", "the command %q cannot be run", b.options.command[0]).
			Hintf("Pass a program and its arguments after --; for a line of the shell: -- sh -c 'LINE'.").Because(err)
	}
	switch code := exit.ExitCode(); {
	case code == checkSkips:
		return skipped, nil
	case code < 0 || code >= checkNotRun:
		return skipped, anchor.Failed("check_ended", "the check of deployment %s ended with %s, which says neither good nor bad", d.ID, exit).
			Hintf("A check ends with 0 for good, 1 to 124 for bad, and 125 to skip. 126 and 127 are the shell's, for a command that it cannot run.")
	}
	return bad, nil
}

// checkURL asks for a URL as a browser does: with cookies and through redirects.
func checkURL(ctx context.Context, url string) (verdict, error) {
	within, cancel := context.WithTimeout(ctx, checkURLWithin)
	defer cancel()
	request, err := http.NewRequestWithContext(within, http.MethodGet, url, http.NoBody)
	if err != nil {
		return skipped, usagef("--url-check makes the URL %s, which is none: %w", url, err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return skipped, err
	}
	visitor := &http.Client{Jar: jar, Transport: &http.Transport{DialContext: dialSite, DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}}
	response, err := visitor.Do(request)
	switch {
	case ctx.Err() != nil:
		return skipped, ctx.Err()
	case within.Err() != nil:
		return bad, nil // it does not answer in time
	case err != nil:
		return skipped, anchor.Failed("unreachable_deployment", "%s cannot be reached from here", url).
			Hintf("Check that its host name leads to the server, for instance in a browser.").Because(err)
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusBadRequest {
		return bad, nil
	}
	return good, nil
}

// dialSite connects to names below localhost on this machine, whatever its resolver knows (RFC 6761, section 6.3).
func dialSite(ctx context.Context, network, address string) (net.Conn, error) {
	if host, port, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(host, ".localhost") {
		address = net.JoinHostPort("localhost", port)
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

func describeCommit(d wire.Deployment) string {
	message, _, _ := strings.Cut(d.CommitMessage, "\n")
	return strings.TrimSpace(strings.Join([]string{d.Version, shortSHA(d.CommitSha), message}, "  "))
}

// authorOf returns the author of a commit that the repository of this folder has, else "".
func authorOf(ctx context.Context, sha string) string {
	if sha == "" || strings.HasPrefix(sha, "-") {
		return ""
	}
	out, err := exec.CommandContext(ctx, "git", "show", "-s", "--format=%an <%ae>", sha, "--").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

func (s *shell) printBisected(w io.Writer, found bisected) {
	d := found.FirstBad
	fmt.Fprintf(w, "%s\n\n", s.paintText(bold, "The first bad deployment is "+string(d.ID)))
	for _, row := range [][2]string{
		{"Version", d.Version}, {"Commit", d.CommitSha}, {"Message", d.CommitMessage}, {"Author", found.Author}, {"Branch", d.Branch},
		{"Age", formatAge(d.CreatedAt)}, {"URL", d.DeploymentURL}, {"Last good", string(found.LastGood.ID) + "  " + found.LastGood.Version},
	} {
		if row[1] != "" {
			printHanging(w, fmt.Sprintf("  %s ", s.paintText(dim, fmt.Sprintf("%-9s", row[0]))), strings.Repeat(" ", 12), cleanText(row[1]))
		}
	}
	if len(found.Skipped) > 0 {
		fmt.Fprintln(w)
		printWrapped(w, "", fmt.Sprintf("%s between the two could not be checked; the first bad one may be among them.", pluralize(int64(len(found.Skipped)), "deployment")))
	}
	fmt.Fprintf(w, "\nTo go back, run anchor rollback %s\n", found.LastGood.ID)
}
