package awstest

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/testport"
)

// emulator is a program that emulates AWS on a port of 127.0.0.1.
type emulator struct {
	name    string
	program string // in the emulators' environment
	script  string // its first argument is a file with this content, unless it is ""
	args    func(port string) []string
	env     func(port string) []string
}

var (
	miniStack = emulator{
		name: "MiniStack", program: "python", script: emulateMiniStack,
		args: func(string) []string { return nil },
		env: func(port string) []string {
			return []string{
				"GATEWAY_PORT=" + port, "BIND_HOST=127.0.0.1", "MINISTACK_HOST=localhost", "LOG_LEVEL=WARNING",
				"AWS_SECRET_ACCESS_KEY=" + secret, "AWS_DEFAULT_REGION=" + Region,
			}
		},
	}
	moto = emulator{
		name: "moto", program: "python", script: emulateMoto,
		args: func(port string) []string { return []string{"-H", "127.0.0.1", "-p", port} },
		env:  func(string) []string { return []string{"MOTO_ACM_VALIDATION_WAIT=1", "AWS_DEFAULT_REGION=" + Region} },
	}
)

var (
	//go:embed emulate.py
	emulateMiniStack string
	//go:embed emulate_moto.py
	emulateMoto string
)

// watched is a shell script that runs a command, its arguments, until file descriptor 3
// is closed at the other end. It then kills the process group, so nothing that the
// command started is left either. The watcher closes its output, or nobody could wait
// for the end of the command's.
const watched = `{ read -r _ <&3; kill -KILL 0; } >/dev/null 2>&1 & exec 3<&-; exec "$@"`

// process is a running emulator. It ends with the test's process, even when that is
// killed with SIGKILL.
type process struct {
	name     string
	endpoint string // http://127.0.0.1:PORT
	cmd      *exec.Cmd
	log      output
	hold     *os.File      // the watched pipe's other end
	dir      string        // the working folder, which also holds the temporary files
	ended    chan struct{} // closed when cmd has ended
}

// run starts an emulator with env added to its environment, and returns once it answers.
func run(t testing.TB, e emulator, env ...string) (*process, error) {
	t.Helper()
	number, err := testport.Get()
	if err != nil {
		return nil, err
	}
	port := fmt.Sprint(number)
	p, err := startCommand(e.script, append([]string{findTool(t, e.program)}, e.args(port)...), append(e.env(port), env...))
	if err != nil {
		return nil, err
	}
	p.name, p.endpoint = e.name, "http://127.0.0.1:"+port
	for deadline := time.Now().Add(time.Minute); !isAnswering(t.Context(), p.endpoint); {
		select {
		case <-p.ended:
			return nil, errors.Join(fmt.Errorf("%s ended before it answered: %v\n%s", e.name, p.cmd.ProcessState, p.log.lastOctets(4000)), p.endGroup())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("%s does not answer", e.name), p.endGroup())
		}
	}
	return p, nil
}

// startCommand starts a command in a folder of its own, with env added to the environment. Unless script is
// "", the command's first argument is a file that contains it.
func startCommand(script string, command, env []string) (*process, error) {
	dir, err := os.MkdirTemp("", "anchor-emulator-")
	if err != nil {
		return nil, err
	}
	if script != "" {
		name := filepath.Join(dir, "emulate.py")
		if err := os.WriteFile(name, []byte(script), 0o600); err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
		command = slices.Insert(command, 1, name)
	}
	watch, hold, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	defer watch.Close()
	cmd := exec.Command("sh", append([]string{"-c", watched, "sh"}, command...)...)
	p := &process{cmd: cmd, hold: hold, dir: dir, ended: make(chan struct{})}
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), env...),
		"TMPDIR="+dir, "S3_DATA_DIR="+filepath.Join(dir, "s3"), "STATE_DIR="+filepath.Join(dir, "state"))
	cmd.Stdout, cmd.Stderr = &p.log, &p.log
	cmd.ExtraFiles = []*os.File{watch} // file descriptor 3
	// The workers that execute functions are in the same group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, hold.Close(), os.RemoveAll(dir))
	}
	go func() { _ = cmd.Wait(); close(p.ended) }()
	return p, nil
}

// endGroup kills the group and removes the folder.
func (p *process) endGroup() error {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.ended
	_ = p.hold.Close()
	// Workers are killed, but may be in the middle of writing a file.
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if err := os.RemoveAll(p.dir); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// output keeps what a process prints.
type output struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, b...)
	return len(b), nil
}

// lastOctets returns the last n octets at most.
func (o *output) lastOctets(n int) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text[max(0, len(o.text)-n):])
}
