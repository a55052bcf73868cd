package worker

import (
	"os"
	"os/exec"
	"path/filepath"

	"github.com/anchor-deploy/anchor/internal/local/worker/jail"
)

// Limits of a process, beside the heap limit. A number of processes counts all processes of a user.
const (
	maxProcesses = 2048 // processes and threads: a Node.js process has about a dozen threads
	maxFiles     = 8192
	maxData      = 2 << 30 // bytes of private memory, beside a heap limit that Spec sets
	maxTmp       = 256 << 20
)

// startConfined starts Node.js on the bundle within Spec.Walls.
func (p *Pool) startConfined(args string, files *pipes) (*exec.Cmd, error) {
	installation, err := jail.Installation(p.node.Path)
	if err != nil {
		return nil, err
	}
	tmp := p.home.tmpPath()
	spec := jail.Spec{
		User: p.spec.User,
		Path: p.node.Path, Args: append(p.nodeFlags(), p.home.main()), Dir: p.spec.Dir,
		Root:     p.home.rootPath(),
		ReadOnly: append(installation, p.spec.Tree, filepath.Dir(p.home.main())),
		Limits:   p.processLimits(),
		Files:    []*os.File{files.listener, files.control}, // fd 3 and 4 of the process
	}
	var env map[string]string
	if files.compiled != nil {
		env = p.spec.CompileEnv
		spec.Files = append(spec.Files, files.compiled) // fd 5
	} else if path := p.usedCompiled(); path != "" {
		spec.ReadOnly = append(spec.ReadOnly, path)
	}
	if p.spec.Walls.Level >= jail.Namespaced {
		tmp = "/tmp" // of its own
	} else {
		spec.Writable = []string{tmp}
	}
	// Passed in the environment, which other users cannot read, not in the command line, which they
	// can.
	spec.Env = append(p.spec.processEnv(p.node, tmp, env), "ANCHOR_WORKER="+args)
	return p.wallsOf().Start(spec, func(cmd *exec.Cmd) {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = files.stdin, files.stdout, files.stderr
	}, start)
}

// maxProcesses returns 0 where the limit would also count other processes of the server's own user.
func (p *Pool) maxProcesses() uint64 {
	if p.spec.User == nil && p.spec.Walls.Level < jail.Namespaced {
		return 0
	}
	return maxProcesses
}

// killAll kills the process and everything that it has started.
func (pr *process) killAll() { pr.walls.Kill(pr.cmd.Process.Pid, pr.gone) }
