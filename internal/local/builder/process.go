package builder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/build"
	"github.com/anchor-deploy/anchor/internal/local/worker"
	"github.com/anchor-deploy/anchor/internal/local/worker/cgroup"
	"github.com/anchor-deploy/anchor/internal/local/worker/jail"
)

// Limits of the processes of a build. A number of processes counts all processes of a user.
const (
	maxProcesses = 4096 // and threads
	maxFiles     = 65536
	maxTmp       = 256 << 20 // in /tmp, which is memory; TMPDIR is on the disk
	niceness     = "10"      // sites come first (nice(1))
	cpuWeight    = 10        // beside 100 of each project's workers: a nice value counts within a control group only
)

// groupOf is the name of the control group of a project's builds.
func groupOf(p anchor.ProjectID) string { return "build-" + string(p) }

// run implements build.Run within the walls.
func (w *work) run(ctx context.Context, c build.Command) error {
	command := strings.Join(c.Args, " ")
	w.job.output.sayf("note", "$ %s", command)
	code, text, err := w.start(ctx, c)
	// What comes next is done with Anchor's rights.
	if e := w.contains(c.Dir); err == nil && e != nil {
		return e
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	case w.outOfMemory:
		return anchor.Failed("build_out_of_memory", "%s was killed: the build reached its memory limit of %d MiB", command, w.builder.Limits.MemoryBytes>>20).
			Hintf("Start the server with a higher limit: anchor up --build-memory-mib %d", w.builder.Limits.MemoryBytes>>19)
	case code == 127:
		return anchor.Failed("build_failed", "%s failed: the server has no program %s", command, c.Args[0]).
			Hintf("Install it on the server, for example with npm install --global %s.", c.Args[0])
	case code != 0:
		return w.explainFailure(command, text)
	}
	return nil
}

// explainFailure makes an error of a command that failed, which text says in the words of the system.
func (w *work) explainFailure(command, text string) error {
	cause := build.FindCause(w.printed.lines())
	logs := fmt.Sprintf("To see what it printed, run anchor builds logs %s", w.job.deployment.ID)
	switch limit := w.builder.Limits.MemoryBytes >> 20; {
	case cause.DiskFull:
		return diskFullDuring(command+" failed", w.job.deployment.ID)
	case cause.OutOfMemory:
		return anchor.Failed("build_out_of_memory", "%s failed: the build ran out of memory; it may take %d MiB", command, limit).
			Hintf("Start the server with a higher limit: anchor up --build-memory-mib %d\nIf the limit of Node.js is lower, set the build variable NODE_OPTIONS to --max-old-space-size=%d", 2*limit, limit*3/4)
	case cause.Text != "":
		return anchor.Failed("build_failed", "%s failed: %s (%s)", command, cause.Text, text).Hintf("%s", logs)
	}
	return anchor.Failed("build_failed", "%s failed: %s", command, text).Hintf("%s", logs)
}

// tail keeps the end of what a command printed.
type tail struct {
	mu      sync.Mutex
	content []byte
}

// maxTail is how much of it is kept, in bytes; at most twice as much is in memory.
const maxTail = 64 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.content = append(t.content, p[max(0, len(p)-maxTail):]...)
	if len(t.content) > 2*maxTail {
		t.content = append([]byte(nil), t.content[len(t.content)-maxTail:]...)
	}
	return len(p), nil
}

// lines returns the lines without what a terminal obeys.
func (t *tail) lines() (all []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for line := range strings.Lines(string(t.content)) {
		all = append(all, plain(line))
	}
	return all
}

// start runs a command and returns how it ended. The end of ctx ends it and all that it started.
func (w *work) start(ctx context.Context, c build.Command) (code int, text string, err error) {
	w.printed = &tail{}
	group := w.group()
	spec, err := w.spec(c, group)
	if err != nil {
		return 0, "", err
	}
	defer os.RemoveAll(spec.Root)
	walls, closeGroup := w.walls(group)
	defer closeGroup()
	streams := func(cmd *exec.Cmd) {
		printed := io.MultiWriter(w.job.output, w.printed)
		cmd.Stdout, cmd.Stderr = printed, printed
		if c.Out != nil {
			cmd.Stdout = c.Out
		}
		cmd.WaitDelay = 5 * time.Second // for processes that left their group where there are no walls
	}
	cmd, err := walls.Start(spec, streams, worker.Spawn)
	if err != nil {
		return 0, "", err
	}
	gone := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { walls.Kill(cmd.Process.Pid, gone) })
	err = cmd.Wait()
	stop()
	close(gone)
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it left behind, if anything
	if err != nil && group != nil {
		w.outOfMemory = group.TakeKill()
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		return 0, "", err
	}
	outcome := walls.Outcome(cmd.ProcessState)
	return outcome.Code, outcome.Text, nil
}

func (w *work) spec(c build.Command, group *cgroup.Group) (jail.Spec, error) {
	readable, err := jail.Installation(w.builder.Node.Path)
	if err != nil {
		return jail.Spec{}, err
	}
	nice, err := exec.LookPath("nice")
	if err != nil {
		return jail.Spec{}, err
	}
	root, err := os.MkdirTemp(w.builder.Run, "build-")
	if err != nil {
		return jail.Spec{}, err
	}
	spec := jail.Spec{
		User: w.user, Path: nice, Args: append([]string{"-n", niceness}, c.Args...), Dir: c.Dir, Env: c.Env,
		Root: root, ReadOnly: readable, Writable: []string{w.dir, w.cache},
		Limits: jail.Limits{Files: maxFiles, Tmp: maxTmp},
	}
	if w.user != nil || w.builder.Walls.Level >= jail.Namespaced {
		spec.Limits.Processes = maxProcesses
	}
	if group == nil || group.Unheld().Memory > 0 {
		spec.Limits.Data = uint64(w.builder.Limits.MemoryBytes) // of each process
	}
	return spec, nil
}

// walls returns the walls of the build with its control group, and what removes that group with all
// that still runs in it.
func (w *work) walls(group *cgroup.Group) (jail.Walls, func()) {
	if group == nil || group.Members() == nil {
		return w.builder.Walls, func() {}
	}
	return w.builder.Walls.Within(group.Members()), func() {
		if err := w.builder.Groups.Remove(groupOf(w.job.project.ID)); err != nil {
			w.builder.Log.Warn("remove the control group of a build", "error", err)
		}
	}
}

// group returns the control group of the build, which bounds its memory, or nil.
func (w *work) group() *cgroup.Group {
	if w.builder.Groups == nil {
		return nil
	}
	group := w.builder.Groups.Group(groupOf(w.job.project.ID))
	if err := group.Set(cgroup.Limits{Memory: w.builder.Limits.MemoryBytes, Processes: maxProcesses, CPUWeight: cpuWeight}); err != nil {
		w.builder.Log.Warn("limits are not enforced for a build as a whole", "projectId", w.job.project.ID, "error", err)
	}
	return group
}

// passed are the variables of Anchor's own environment that a build gets: how to reach the network.
var passed = []string{
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
	"npm_config_registry", "NPM_CONFIG_REGISTRY", "LANG", "TZ",
}

// environment returns the variables of the build's commands: nothing of Anchor's own but passed.
func (w *work) environment(project map[string]string) []string {
	d := w.job.deployment
	env := map[string]string{
		"PATH": filepath.Dir(w.builder.Node.Path) + ":/usr/local/bin:/usr/bin:/bin",
		"HOME": w.home(), "TMPDIR": w.tmp(),
		"CI": "1", "NO_COLOR": "1", "NEXT_TELEMETRY_DISABLED": "1",
		"npm_config_cache": filepath.Join(w.cache, "npm"), "npm_config_update_notifier": "false",
		"YARN_CACHE_FOLDER":     filepath.Join(w.cache, "yarn"),
		"BUN_INSTALL_CACHE_DIR": filepath.Join(w.cache, "bun"), "COREPACK_HOME": filepath.Join(w.cache, "corepack"),
		"XDG_CACHE_HOME": filepath.Join(w.cache, "xdg"),
		"XDG_DATA_HOME":  filepath.Join(w.cache, "data"), // of pnpm's store; npm warns of pnpm's own variable

		"ANCHOR_DEPLOYMENT_ID": string(d.ID), "ANCHOR_PROJECT_ID": string(d.ProjectID),
		"ANCHOR_GIT_COMMIT_SHA": d.CommitSha, "ANCHOR_GIT_BRANCH": d.Branch,
		"ANCHOR_ENV": string(w.job.scope().Environment), "ANCHOR_URL": w.url(),
	}
	if d.PullRequest != 0 {
		env["ANCHOR_GIT_PULL_REQUEST_ID"] = strconv.FormatInt(d.PullRequest, 10)
	}
	for _, name := range passed {
		if value, ok := os.LookupEnv(name); ok {
			env[name] = value
		}
	}
	if w.copyCertificates() {
		env[extraCertificates] = w.certificates()
	}
	for name, value := range project {
		env[name] = value
	}
	anchor.AddVercelNames(env)
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return list
}

// url returns the URL that the deployment will have: the site's, or its own if it is a preview.
func (w *work) url() string {
	site, own := w.builder.URLs(w.job.project, w.job.deployment.ID)
	if w.job.scope().Environment == anchor.EnvPreview {
		return own
	}
	return site
}

// extraCertificates names a file of CA certificates that Node.js trusts besides its own.
const extraCertificates = "NODE_EXTRA_CA_CERTS"

func (w *work) certificates() string { return filepath.Join(w.dir, "ca.pem") }

// copyCertificates copies the file of Anchor's own environment to where the build can read it.
func (w *work) copyCertificates() bool {
	name := os.Getenv(extraCertificates)
	if name == "" {
		return false
	}
	certificates, err := os.ReadFile(name)
	if err == nil {
		err = os.WriteFile(w.certificates(), certificates, 0o644)
	}
	if err != nil {
		w.builder.Log.Warn("pass the certificates of "+extraCertificates+" to a build", "error", err)
	}
	return err == nil
}
