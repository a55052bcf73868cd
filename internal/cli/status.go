package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/artifact/build"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

func (s *shell) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show the server, live projects and workers", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.runStatus(cmd.Context()) },
	}
}

func (s *shell) runStatus(ctx context.Context) error {
	c, err := s.newClient()
	if err != nil {
		return err
	}
	status, err := c.Status(ctx)
	if err != nil {
		return err
	}
	return s.printResult(status, func(w io.Writer) { s.printRunning(w, status) })
}

func (s *shell) printRunning(w io.Writer, st wire.Status) {
	fmt.Fprintf(w, "%s %s on %s, up %s\n\n", s.paintText(bold, "Anchor"), st.Version, st.Platform, formatSpan(st.UptimeMS))
	for _, row := range [][2]string{
		{"Sites", st.Sites},
		{"API", st.API},
		{"HTTP/3", st.HTTP3},
		{"Data", st.Data},
		{"Disk", diskLine(st.Disk)},
		{"Node", strings.TrimSpace(st.Node + describeTarget(st.Target))},
		{"Isolation", describeIsolation(st.Isolation)},
		{"Limits", limitsOf(st.Isolation)},
	} {
		if row[1] == "" {
			continue
		}
		printHanging(w, fmt.Sprintf("  %s ", s.paintText(dim, fmt.Sprintf("%-9s", row[0]))), strings.Repeat(" ", 12), cleanText(row[1]))
	}
	fmt.Fprintln(w)
	if len(st.Live) == 0 {
		fmt.Fprintln(w, "Nothing is live yet. To deploy an app, run anchor deploy ./my-next-app.")
		return
	}
	rows := make([][]string, len(st.Live))
	for i, p := range st.Live {
		rows[i] = []string{p.Slug, p.Version, p.URL}
	}
	s.printTable(w, []string{"PROJECT", "LIVE", "URL"}, rows)
	divided(w, st.Live)
	s.printSplits(w, st.Live)
	if len(st.Workers) == 0 {
		return
	}
	fmt.Fprintln(w)
	rows = rows[:0]
	for _, k := range st.Workers {
		rows = append(rows, []string{
			k.Slug, k.Function, strconv.Itoa(k.Processes), strconv.Itoa(k.InFlight), strconv.Itoa(k.Restarts), formatSize(k.MemoryBytes),
			string(k.DeploymentID),
		})
	}
	defer memoryKills(w, st.Workers)
	s.printTable(w, []string{"WORKERS OF", "FUNCTION", "UP", "BUSY", "RESTARTS", "MEMORY", "DEPLOYMENT"}, rows)
}

// divided names the projects of which a switch failed half-way.
func divided(w io.Writer, live []wire.Serving) {
	for _, p := range live {
		if p.DividedSince == 0 {
			continue
		}
		fmt.Fprintln(w)
		printWrapped(w, "", fmt.Sprintf("Since %s some requests for %s may reach another deployment than %s: a switch failed half-way. "+
			"The server retries by itself. To retry now, run anchor promote %s --project %s.",
			time.UnixMilli(p.DividedSince).UTC().Format(time.RFC3339), p.Slug, p.Version, p.DeploymentID, p.Slug))
	}
}

// memoryKills names the projects whose processes were killed at their memory limit.
func memoryKills(w io.Writer, workers []wire.Worker) {
	told := map[string]bool{}
	for _, k := range workers {
		if k.MemoryKills > 0 && !told[k.Slug] {
			told[k.Slug] = true
			fmt.Fprintln(w)
			printWrapped(w, "", fmt.Sprintf("%s reached its memory limit: the kernel killed %s since the server started. "+
				"anchor limits --project %s shows the limit.", k.Slug, pluralize(k.MemoryKills, "worker"), k.Slug))
		}
	}
}

func diskLine(d wire.Disk) string {
	line := fmt.Sprintf("%s free, %s in the data folder, %s of it artifacts", formatSize(int64(d.FreeBytes)), formatSize(d.DataBytes), formatSize(d.ArtifactBytes))
	if d.Shelved > 0 {
		line += fmt.Sprintf("; hashed files of %s are still kept", pluralize(int64(d.Shelved), "pruned deployment"))
	}
	if d.Trashed > 0 {
		line += fmt.Sprintf("; %s in the trash", pluralize(int64(d.Trashed), "removed deployment"))
	}
	return line
}

func describeTarget(t *wire.Machine) string {
	if t == nil || t.Arch == "" {
		return ""
	}
	return " on " + t.OS + " " + t.Arch
}

func describeIsolation(i *wire.Isolation) string {
	if i == nil {
		return ""
	}
	return fmt.Sprintf("level %d: %s", i.Level, i.Name)
}

func limitsOf(i *wire.Isolation) string {
	if i == nil {
		return ""
	}
	return i.Limits
}

// formatSpan writes milliseconds in the two largest units that matter.
func formatSpan(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

type doctorOptions struct {
	repair bool
	data   string
}

func (s *shell) doctorCommand() *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use: "doctor", Short: "Diagnose problems on this machine and on the server", Args: cobra.NoArgs,
		Long: "Checks this machine and the server. On the server it compares the files of the\n" +
			"live sites with what was uploaded and restores the files it can.\n\n" +
			"With --repair it makes the records of a data folder match its files again, after\n" +
			"anchor.db was lost, damaged or replaced by an older version. Stop the server\n" +
			"first. The repair deletes nothing and lists what it could not rebuild.",
		Example: "  anchor doctor\n  anchor doctor --repair --data /var/lib/anchor",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.repair {
				return s.runRepair(cmd.Context(), o.data)
			}
			if o.data != "" {
				return usagef("--data needs --repair")
			}
			return s.runDoctor(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&o.repair, "repair", false, "rebuild the records of a data folder from its files")
	cmd.Flags().StringVar(&o.data, "data", "", "with --repair: data folder (default: the same as for anchor up)")
	return cmd
}

// runDoctor checks this side first: it has to work when no server runs.
func (s *shell) runDoctor(ctx context.Context) error {
	checks := []wire.Check{localNode(ctx)}
	if check, ok := localOpenNext(); ok {
		checks = append(checks, check)
	}
	c, err := s.newClient()
	var server []wire.Check
	if err == nil {
		server, err = c.Doctor(ctx)
	}
	if err != nil {
		f := failureOf(err)
		checks = append(checks, wire.Check{Name: "server", Detail: f.Message, Hint: f.Hint})
	}
	checks = append(checks, server...)
	showErr := s.printResult(wire.Items[wire.Check]{Items: checks}, func(w io.Writer) { s.printChecks(w, checks) })
	if showErr != nil {
		return showErr
	}
	return findingsError(checks, err)
}

func findingsError(checks []wire.Check, server error) error {
	if server != nil {
		return fmt.Errorf("%w: %w", errReported, server)
	}
	for _, check := range checks {
		if !check.OK {
			return errReported
		}
	}
	return nil
}

func (s *shell) printChecks(w io.Writer, checks []wire.Check) {
	for _, check := range checks {
		mark := s.paintText(green, "✓")
		if !check.OK {
			mark = s.paintText(red, "✗")
		}
		indent := strings.Repeat(" ", 17)
		printHanging(w, fmt.Sprintf("%s %-14s ", mark, check.Name), indent, cleanText(check.Detail))
		if !check.OK && check.Hint != "" {
			printWrapped(w, indent, check.Hint)
		}
	}
}

// localNode: builds run on this side and need Node.js, which may not be the server's.
func localNode(ctx context.Context) wire.Check {
	check := wire.Check{Name: "node (here)", Hint: "Install Node.js 20 or newer, for example from https://nodejs.org."}
	out, err := exec.CommandContext(ctx, "node", "--version").Output()
	if err != nil {
		check.Detail = "cannot run Node.js: " + err.Error()
		return check
	}
	version := strings.TrimSpace(string(out))
	major, err := strconv.Atoi(strings.SplitN(strings.TrimPrefix(version, "v"), ".", 2)[0])
	check.Detail = version
	if check.OK = err == nil && major >= 20; check.OK {
		check.Hint = ""
	}
	return check
}

// localOpenNext describes the version of OpenNext that builds the app in this folder, if there is one.
func localOpenNext() (wire.Check, bool) {
	app, err := opennext.FindApp(".")
	if err != nil {
		return wire.Check{}, false
	}
	return wire.Check{Name: "OpenNext (here)", OK: true, Detail: build.DescribeOpenNext(app)}, true
}

func (s *shell) openCommand() *cobra.Command {
	var dashboard bool
	cmd := &cobra.Command{
		Use: "open [ID]", Short: "Open the site, one deployment, or the dashboard in a browser", Args: cobra.MaximumNArgs(1),
		Long: "Opens the site of the project, the deployment ID, or the dashboard in a\n" +
			"browser, and prints the URL. The URL of the dashboard signs the owner in once,\n" +
			"within 15 minutes.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if dashboard && len(args) > 0 {
				return usagef("--dashboard opens no deployment; leave out the ID or the flag")
			}
			if dashboard {
				return s.openDashboard(cmd.Context())
			}
			return s.runOpen(cmd.Context(), args)
		},
	}
	cmd.Flags().BoolVar(&dashboard, "dashboard", false, "open the dashboard and sign in")
	return cmd
}

// openDashboard opens a link that signs in. A token without a person signs the oldest owner in.
func (s *shell) openDashboard(ctx context.Context) error {
	c, err := s.newClient()
	if err != nil {
		return err
	}
	link, err := c.SignInLink(ctx, "me")
	if err != nil {
		return err
	}
	url := c.Base() + link.Path
	if s.IsTerminal && !s.json {
		openBrowser(ctx, url)
	}
	return s.printResult(opened{url}, func(w io.Writer) { fmt.Fprintln(w, url) })
}

type opened struct {
	URL string `json:"url"`
}

func (s *shell) runOpen(ctx context.Context, args []string) error {
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
		openBrowser(ctx, url) // without a browser the URL below is enough
	}
	return s.printResult(opened{url}, func(w io.Writer) { fmt.Fprintln(w, url) })
}

func openBrowser(ctx context.Context, url string) {
	for _, name := range []string{os.Getenv("BROWSER"), "xdg-open", "open", "wslview"} {
		if path, err := exec.LookPath(name); err == nil && exec.CommandContext(ctx, path, url).Start() == nil {
			return
		}
	}
}
