package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/httpapi/wire"
)

func (s *shell) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show what runs", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.status(cmd.Context()) },
	}
}

func (s *shell) status(ctx context.Context) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	status, err := c.Status(ctx)
	if err != nil {
		return err
	}
	return s.show(status, func(w io.Writer) {
		var v running
		if json.Unmarshal(status, &v) != nil { // a newer server's, told as it is
			fmt.Fprintln(w, string(status))
			return
		}
		fmt.Fprintf(w, "%s %s\n", s.paint(bold, "Anchor"), c.URL())
		s.running(w, v)
	})
}

// running is the part of the server's status that a person is shown.
type running struct {
	Version  string `json:"version"`
	UptimeMS int64  `json:"uptimeMs"`
	Sites    string `json:"sites"`
	Data     string `json:"data"`
	Node     string `json:"node"`
	Disk     struct {
		FreeBytes int64 `json:"freeBytes"`
		UsedBytes int64 `json:"usedBytes"`
	} `json:"disk"`
	Projects []struct {
		Slug string      `json:"slug"`
		URL  string      `json:"url"`
		Live anchor.Live `json:"live"`
	} `json:"projects"`
	Workers []struct {
		Deployment anchor.DeploymentID `json:"deploymentId"`
		Slug       string              `json:"slug"`
		Function   string              `json:"function"`
		Processes  int                 `json:"processes"`
		InFlight   int                 `json:"inFlight"`
		Queued     int                 `json:"queued"`
		Restarts   int                 `json:"restarts"`
		RSS        int64               `json:"rss"`
	} `json:"workers"`
}

func (s *shell) running(w io.Writer, v running) {
	for _, row := range [][2]string{
		{"version", v.Version}, {"up for", took(time.Duration(v.UptimeMS) * time.Millisecond)}, {"sites", v.Sites},
		{"data", v.Data}, {"disk", size(v.Disk.UsedBytes) + " of artifacts, " + size(v.Disk.FreeBytes) + " free"}, {"node", v.Node},
	} {
		fmt.Fprintf(w, "  %s %s\n", s.paint(dim, pad(row[0], len("version"))), clean(row[1]))
	}
	if len(v.Projects) > 0 {
		rows := make([][]string, 0, len(v.Projects))
		for _, p := range v.Projects {
			rows = append(rows, []string{p.Slug, p.Live.Version, tail(p.Live.Deployment), p.URL})
		}
		fmt.Fprintln(w)
		s.table(w, []string{"PROJECT", "LIVE", "DEPLOYMENT", "URL"}, rows)
	}
	if len(v.Workers) > 0 {
		rows := make([][]string, 0, len(v.Workers))
		for _, f := range v.Workers {
			rows = append(rows, []string{f.Slug, tail(f.Deployment), f.Function, fmt.Sprint(f.Processes),
				fmt.Sprint(f.InFlight), fmt.Sprint(f.Queued), fmt.Sprint(f.Restarts), size(f.RSS)})
		}
		fmt.Fprintln(w)
		s.table(w, []string{"PROJECT", "DEPLOYMENT", "FUNCTION", "PROCESSES", "BUSY", "QUEUED", "RESTARTS", "MEMORY"}, rows)
	}
}

func (s *shell) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Find what is wrong here and on the server, and what helps", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.doctor(cmd.Context()) },
	}
}

// doctor looks at this side first: it has to be of use when no server runs.
func (s *shell) doctor(ctx context.Context) error {
	checks := []wire.Check{localNode(ctx)}
	c, err := s.client()
	var server []wire.Check
	if err == nil {
		server, err = c.Doctor(ctx)
	}
	if err != nil {
		f := failureOf(err)
		checks = append(checks, wire.Check{Name: "server", Detail: f.Message, Hint: f.Hint})
	}
	checks = append(checks, server...)
	showErr := s.show(wire.Items[wire.Check]{Items: checks}, func(w io.Writer) { s.checks(w, checks) })
	if showErr != nil {
		return showErr
	}
	return findings(checks, err)
}

func findings(checks []wire.Check, server error) error {
	if server != nil {
		return fmt.Errorf("%w: %w", errTold, server)
	}
	for _, check := range checks {
		if !check.OK {
			return errTold
		}
	}
	return nil
}

func (s *shell) checks(w io.Writer, checks []wire.Check) {
	for _, check := range checks {
		mark := s.paint(green, "✓")
		if !check.OK {
			mark = s.paint(red, "✗")
		}
		fmt.Fprintf(w, "%s %-14s %s\n", mark, check.Name, clean(check.Detail))
		if !check.OK && check.Hint != "" {
			fmt.Fprintf(w, "  %-14s %s\n", "", check.Hint)
		}
	}
}

// localNode: builds run on this side and need Node.js, which may not be the server's.
func localNode(ctx context.Context) wire.Check {
	check := wire.Check{Name: "node (here)", Hint: "Install Node.js 20 or newer, for example from https://nodejs.org."}
	out, err := exec.CommandContext(ctx, "node", "--version").Output()
	if err != nil {
		check.Detail = "Node.js does not run here: " + err.Error()
		return check
	}
	version := strings.TrimSpace(string(out))
	major, err := strconv.Atoi(strings.SplitN(strings.TrimPrefix(version, "v"), ".", 2)[0])
	check.Detail, check.OK = version, err == nil && major >= 20
	return check
}

func (s *shell) openCommand() *cobra.Command {
	return &cobra.Command{
		Use: "open [ID]", Short: "Open the site, or one deployment, in a browser", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return s.open(cmd.Context(), args) },
	}
}

type opened struct {
	URL string `json:"url"`
}

func (s *shell) open(ctx context.Context, args []string) error {
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	var url string
	if len(args) == 1 {
		d, err := c.Deployment(ctx, project, anchor.DeploymentID(args[0]))
		if err != nil {
			return err
		}
		url = d.DeploymentURL
	} else {
		p, err := c.Project(ctx, project)
		if err != nil {
			return err
		}
		url = p.URL
	}
	if s.IsTerminal && !s.json {
		browse(ctx, url) // without a browser the URL below is enough
	}
	return s.show(opened{url}, func(w io.Writer) { fmt.Fprintln(w, url) })
}

func browse(ctx context.Context, url string) {
	for _, name := range []string{os.Getenv("BROWSER"), "xdg-open", "open", "wslview"} {
		if path, err := exec.LookPath(name); err == nil && exec.CommandContext(ctx, path, url).Start() == nil {
			return
		}
	}
}
