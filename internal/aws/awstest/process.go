package awstest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// watched is a shell script that runs a command, its arguments, until file descriptor 3
// is closed at the other end. It then kills the process group, so nothing that the
// command started is left either. The watcher closes its output, or nobody could wait
// for the end of the command's.
const watched = `{ read -r _ <&3; kill -KILL 0; } >/dev/null 2>&1 & exec 3<&-; exec "$@"`

// process is a running emulator. It ends with the test's process, even when that is
// killed with SIGKILL.
type process struct {
	cmd   *exec.Cmd
	hold  *os.File      // the watched pipe's other end
	dir   string        // the working folder, which also holds the temporary files
	ended chan struct{} // closed when cmd has ended
}

// run starts a command with env added to the environment. Its output goes to log.
func run(t testing.TB, log *bytes.Buffer, command, env []string) *process {
	t.Helper()
	dir, err := os.MkdirTemp("", "anchor-emulator-")
	if err != nil {
		t.Fatal(err)
	}
	watch, hold, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	cmd := exec.Command("sh", append([]string{"-c", watched, "sh"}, command...)...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), env...), "TMPDIR="+dir, "S3_DATA_DIR="+filepath.Join(dir, "s3"), "STATE_DIR="+filepath.Join(dir, "state"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{watch} // file descriptor 3
	// The workers that execute functions are in the same group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, hold: hold, dir: dir, ended: make(chan struct{})}
	go func() { _ = cmd.Wait(); close(p.ended) }()
	return p
}

// end kills the group and removes the folder.
func (p *process) end(t testing.TB) {
	t.Helper()
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.ended
	_ = p.hold.Close()
	// Workers are killed, but may be in the middle of writing a file.
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		err := os.RemoveAll(p.dir)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("remove the emulator's folder: %v", err)
			return
		}
	}
}
