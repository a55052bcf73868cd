package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/client"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/artifact/build"
)

type deployOptions struct {
	dir                     string
	prebuilt, noRelease     bool
	forceReload             bool
	split                   splitFlags
	plan                    *anchor.SplitPlan // of split
	prod, yes               bool
	branch, commit, message string
}

func (s *shell) deployCommand() *cobra.Command {
	var o deployOptions
	cmd := &cobra.Command{
		Use: "deploy [DIR]", Short: "Build the app, upload changed files and go live", Args: cobra.MaximumNArgs(1),
		Long: "Builds the app, uploads what changed and deploys it: the production branch of\n" +
			"the project goes live, every other branch becomes a preview. The project is the\n" +
			"one of anchor.json. A folder without this file asks for a project first, or\n" +
			"needs --project or --yes, and is tied to that project from then on.",
		Example: "  anchor deploy ./my-next-app\n  anchor deploy --prebuilt ./my-next-app",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.dir = "."
			if len(args) == 1 {
				o.dir = args[0]
			}
			if o.prod && o.noRelease {
				return usagef("--prod goes live and --no-release does not; use one of them")
			}
			var err error
			if o.plan, err = o.split.plan(cmd); err != nil {
				return err
			}
			if o.plan != nil && o.noRelease {
				return usagef("--weight gives the deployment a share of the traffic and --no-release none; use one of them")
			}
			return s.runDeploy(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.prebuilt, "prebuilt", false, "deploy the existing .open-next build")
	flags.BoolVar(&o.noRelease, "no-release", false, "deploy without going live")
	forceReloadFlag(cmd, &o.forceReload)
	o.split.declareFlags(cmd)
	flags.BoolVar(&o.prod, "prod", false, "go live from any branch")
	flags.BoolVarP(&o.yes, "yes", "y", false, "create the project of a folder without anchor.json")
	flags.StringVar(&o.branch, "branch", "", "branch to record (default: the current branch)")
	flags.StringVar(&o.commit, "commit", "", "commit hash to record (default: the checked-out commit)")
	flags.StringVar(&o.message, "message", "", "message to record (default: the commit message)")
	return cmd
}

// deployed is what deploy --json prints. Scripts rely on it.
type deployed struct {
	DeploymentID  anchor.DeploymentID `json:"deploymentId"`
	ProjectID     anchor.ProjectID    `json:"projectId"`
	Status        anchor.Status       `json:"status"`
	URL           string              `json:"url"`
	DeploymentURL string              `json:"deploymentUrl"`
	Version       string              `json:"version"`
	BytesSent     int64               `json:"bytesSent"`
	FilesSent     int64               `json:"filesSent"`
	FilesSkipped  int64               `json:"filesSkipped"`
	Timings       map[string]int64    `json:"timings"`
}

func (s *shell) runDeploy(ctx context.Context, o deployOptions) error {
	dir, err := appDir(o.dir)
	if err != nil {
		return err
	}
	if dir, err = rootDir(dir); err != nil {
		return err
	}
	began := time.Now()
	d := &deploying{shell: s, options: o, dir: dir, progress: newProgress(s)}
	defer d.progress.haltTicker()
	record, err := d.run(ctx)
	if err != nil {
		return err
	}
	d.progress.timings["total"] = time.Since(began).Milliseconds()
	out := deployed{
		DeploymentID: record.ID, ProjectID: record.ProjectID, Status: record.Status,
		URL: record.URL, DeploymentURL: record.DeploymentURL, Version: record.Version,
		BytesSent: d.bytes, FilesSent: d.sent.Files, FilesSkipped: d.skipped, Timings: d.progress.timings,
	}
	return s.printResult(out, func(w io.Writer) {
		d.deployedTo(w, record, time.Since(began))
		if d.preview {
			fmt.Fprintf(d.Err, "It is a preview, because its branch %s is not the production branch %s.\n", cleanText(record.Branch), d.target.project.ProductionBranch)
		}
	})
}

func (s *shell) deployedTo(w io.Writer, d wire.Deployment, total time.Duration) {
	fmt.Fprintf(s.Err, "%s\n\n", s.paintText(dim, "  "+padText("", labelWidth)+" "+padLeft(formatDuration(total), timeWidth)+"  total"))
	if d.Live {
		fmt.Fprintf(w, "%s %s\n", padText("Live", labelWidth+1), s.paintText(bold, d.URL))
	}
	fmt.Fprintf(w, "%s %s\n", padText("Deployment", labelWidth+1), d.DeploymentURL)
	if d.BranchURL != "" {
		fmt.Fprintf(w, "%s %s\n", padText("Branch", labelWidth+1), d.BranchURL)
	}
	if d.Weight > 0 {
		fmt.Fprintf(s.Err, "\nIt gets %d %% of the traffic of %s. To see what it answers, run anchor status\n", d.Weight, d.URL)
		return
	}
	if !d.Live {
		fmt.Fprintf(s.Err, "\nIt is not live. To make it live, run anchor promote %s\n", d.ID)
	}
}

// rootDir returns the rootDirectory of the anchor.json in dir, else dir.
func rootDir(dir string) (string, error) {
	t, err := findAppTie(dir)
	if err != nil || t.dir != dir || t.RootDirectory == "" {
		return dir, err
	}
	return filepath.Join(dir, t.RootDirectory), checkRoot(dir, t.RootDirectory)
}

func appDir(name string) (string, error) {
	dir, err := filepath.Abs(name)
	if err != nil {
		return "", fmt.Errorf("find the app's folder: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return "", anchor.Invalid("no_folder", "the folder %s does not exist", dir).Because(err).
			Hintf("Pass the folder of the app: anchor deploy ./my-next-app")
	}
	return dir, nil
}

// deploying is one run of the deploy command.
type deploying struct {
	*shell
	options  deployOptions
	dir      string
	progress *progress

	client  *client.Client
	target  target
	slug    string
	created bool // the project, by this run
	preview bool // because of the branch
	sent    client.Sent
	bytes   int64 // of all requests of the upload
	skipped int64 // files the server had already
}

func (d *deploying) run(ctx context.Context) (wire.Deployment, error) {
	if d.options.prebuilt {
		return d.runPrebuilt(ctx)
	}
	app, err := findApp(d.dir)
	if err == nil {
		err = build.CheckPublic(ctx, app.Dir)
	}
	if err != nil {
		return wire.Deployment{}, err
	}
	if err := d.findProject(ctx); err != nil {
		return wire.Deployment{}, err
	}
	vars, err := d.buildVariables(ctx)
	if err != nil {
		return wire.Deployment{}, err
	}
	machine, err := d.serverMachine(ctx)
	if err != nil {
		return wire.Deployment{}, err
	}
	d.noteUnused(ctx)
	b := build.Builder{App: app, Settings: d.target.tie.Settings, Env: buildEnv(vars), Target: machine}
	tree, err := d.buildApp(ctx, b, d.progress)
	if err == nil {
		err = build.AddCrons(tree, app.Dir, d.target.tie.Settings)
	}
	if err != nil {
		return wire.Deployment{}, err
	}
	a, err := d.scanTree(ctx, tree, d.target.tie)
	if err != nil {
		return wire.Deployment{}, err
	}
	return d.sendBuild(ctx, a)
}

// runPrebuilt reads the whole build before it sends anything to the server.
func (d *deploying) runPrebuilt(ctx context.Context) (wire.Deployment, error) {
	tree, err := build.FindTree(d.dir)
	if err == nil {
		err = addOwnCrons(tree)
	}
	if err != nil {
		return wire.Deployment{}, err
	}
	tied, err := findAppTie(d.dir)
	if err != nil {
		return wire.Deployment{}, err
	}
	a, err := d.scanTree(ctx, tree, tied)
	if err != nil {
		return wire.Deployment{}, err
	}
	if err := d.findProject(ctx); err != nil {
		return wire.Deployment{}, err
	}
	d.noteUnused(ctx)
	return d.sendBuild(ctx, a)
}

// addOwnCrons adds the crons of the app around an existing build to that build.
func addOwnCrons(tree string) error {
	tree, err := filepath.Abs(tree)
	if err != nil || filepath.Base(tree) != build.TreeName {
		return err
	}
	app := filepath.Dir(tree)
	t, err := findAppTie(app)
	if err != nil {
		return err
	}
	return build.AddCrons(tree, app, t.Settings)
}

// scope returns which of the project's variables a deployment of the commit gets.
func (d *deploying) scope(c commit) anchor.EnvScope {
	return d.target.project.ScopeOf(c.branch, d.options.noRelease || !d.options.prod)
}

// scanTree reads a build, to which it adds the settings for AWS of the app's anchor.json.
func (d *deploying) scanTree(ctx context.Context, tree string, t tie) (build.Output, error) {
	d.progress.beginStep("Scan")
	err := build.PutSettings(tree, t.AWS)
	var a build.Output
	if err == nil {
		a, err = build.Scan(ctx, tree)
	}
	if err != nil {
		d.progress.failStep()
		return a, err
	}
	d.progress.endStep("scan", fmt.Sprintf("%s, %s", pluralize(int64(len(a.Manifest.Files)), "file"), formatSize(a.Manifest.Size())))
	return a, nil
}

func (d *deploying) findProject(ctx context.Context) (err error) {
	if d.client, err = d.newClient(); err != nil {
		return err
	}
	d.target, err = d.chooseProject(ctx, d.client, d.dir, d.options.yes)
	if d.slug = d.target.slug; err == nil && !d.target.exists() {
		d.target.project.ProductionBranch = productionBranch(ctx, d.dir, readCommit(ctx, d.dir).withOptions(d.options))
	}
	return err
}

func folderSlug(dir string) string {
	if filepath.Base(dir) == build.TreeName {
		dir = filepath.Dir(dir)
	}
	return anchor.Slugify(filepath.Base(dir))
}

// ensureProject makes the project on its first deploy, and ties the folder to it.
func (d *deploying) ensureProject(ctx context.Context) (err error) {
	if !d.target.exists() {
		d.created, err = d.target.createProject(ctx, d.client, d.target.project.ProductionBranch)
		if err != nil {
			return err
		}
		if !d.created && d.project == "" { // it was chosen as a new one
			return anchor.Conflict("not_linked", "another deploy has created the project %s meanwhile", d.slug).
				Hintf("If the app belongs to that project, run anchor link %s", d.slug)
		}
	}
	if d.target.link {
		return d.writeTie(d.target.tie, d.target.project)
	}
	return nil
}

// removeCreated removes the project that this run created, because its first deployment has failed,
// and the tie of the folder. A project with other deployments stays.
func (d *deploying) removeCreated(ctx context.Context) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer stop()
	id := string(d.target.project.ID)
	list, err := d.client.Deployments(ctx, id, anchor.Page{Limit: 2})
	if err == nil && len(list.Items) > 1 {
		return
	}
	if err == nil {
		_, err = d.client.DeleteProject(ctx, id)
	}
	if err == nil && d.target.link {
		err = d.unlink()
	}
	d.progress.haltTicker()
	switch {
	case d.json:
	case err != nil:
		fmt.Fprintf(d.Err, "The project %s, which this deploy created, was not removed: %v\n", d.slug, err)
	default:
		fmt.Fprintf(d.Err, "Removed the project %s, which this deploy created.\n", d.slug)
	}
}

// unlink restores anchor.json as it was before this run.
func (d *deploying) unlink() error {
	if before := d.target.tie; !before.IsZero() {
		return build.WriteSettings(before.dir, before.Settings)
	}
	return os.Remove(filepath.Join(d.target.tie.dir, build.SettingsName))
}

// sendBuild starts the deployment and follows it. When it cannot, it cancels the deployment, so that
// the server does not wait for files that will not come.
func (d *deploying) sendBuild(ctx context.Context, a build.Output) (record wire.Deployment, err error) {
	c := readCommit(ctx, d.dir).withOptions(d.options)
	if err := d.ensureProject(ctx); err != nil {
		return wire.Deployment{}, err
	}
	defer func() {
		if err != nil && d.created && !isUnreachable(err) {
			d.removeCreated(ctx)
		}
	}()
	d.preview = d.scope(c).Environment == anchor.EnvPreview
	d.progress.beginStep("Upload")
	before := d.client.BytesSent()
	request := wire.StartDeployment{
		CommitSha: c.sha, CommitMessage: c.message, Branch: c.branch, PullRequest: c.pull, NoRelease: d.options.noRelease || d.preview, ForceReload: d.options.forceReload,
	}
	if !request.NoRelease {
		request.Split = d.options.plan
	}
	started, err := d.start(ctx, a.Manifest, request)
	if err != nil {
		d.progress.failStep()
		return wire.Deployment{}, err
	}
	id := started.Deployment.ID
	if err := d.uploadFiles(ctx, a, started); err != nil {
		d.progress.failStep()
		d.cancelOnServer(ctx, id)
		return wire.Deployment{}, err
	}
	d.bytes = d.client.BytesSent() - before
	record, err = d.followDeployment(ctx, id)
	if ctx.Err() != nil {
		d.cancelOnServer(ctx, id)
	}
	if err == nil && record.Status == anchor.Deployed {
		if err := d.rememberUpload(id, a.Manifest); err != nil {
			fmt.Fprintf(d.Err, "The next deploy will send its complete file list: %v\n", err)
		}
	}
	return record, err
}

// isUnreachable reports whether the server was lost: then the deployment may still end well.
func isUnreachable(err error) bool {
	gone := (*client.Unreachable)(nil)
	return errors.As(err, &gone)
}

// start sends the manifest as its difference from the last upload's, or whole.
func (d *deploying) start(ctx context.Context, m artifact.Manifest, r wire.StartDeployment) (wire.StartedDeployment, error) {
	if r.Delta = d.deltaOf(m); r.Delta != nil {
		started, err := d.client.Start(ctx, d.slug, r)
		if anchor.CodeOf(err) != "no_base" {
			return started, err
		}
		r.Delta = nil
	}
	r.Manifest = m
	return d.client.Start(ctx, d.slug, r)
}

func (d *deploying) uploadFiles(ctx context.Context, a build.Output, started wire.StartedDeployment) error {
	sent, err := d.client.Upload(ctx, d.slug, started.Deployment.ID, client.Upload{
		Dir: a.Tree, Manifest: a.Found, Missing: started.Missing, Presigned: started.Presigned,
		Progress: func(sent client.Sent) {
			d.progress.showBar(sent.Bytes, sent.TotalBytes, formatSize(sent.Bytes)+" of "+formatSize(sent.TotalBytes))
		},
	})
	if err != nil {
		return err
	}
	d.sent, d.skipped = sent, int64(len(a.Manifest.Contents()))-sent.Files
	if _, err := d.client.Finish(ctx, d.slug, started.Deployment.ID); err != nil {
		return err
	}
	d.progress.endStep("upload", fmt.Sprintf("%s, %s sent; %d unchanged", pluralize(sent.Files, "file"), formatSize(sent.Bytes), d.skipped))
	return nil
}

// cancelOnServer cancels the deployment on the server, even when ctx is done.
func (d *deploying) cancelOnServer(ctx context.Context, id anchor.DeploymentID) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer stop()
	d.progress.haltTicker()
	_, err := d.client.Cancel(ctx, d.slug, id)
	if d.json {
		return
	}
	switch {
	case err == nil:
		fmt.Fprintf(d.Err, "Canceled deployment %s.\n", id)
	case errors.Is(err, anchor.ErrConflict):
		fmt.Fprintf(d.Err, "Deployment %s had already ended.\n", id)
	default:
		fmt.Fprintf(d.Err, "Could not cancel deployment %s: %v\n", id, err)
	}
}
