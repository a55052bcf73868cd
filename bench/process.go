package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a server under measurement, with its output.
type process struct {
	cmd    *exec.Cmd
	output *output
	ended  chan struct{}
}

// output is what a process has printed so far.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// launch starts cmd on the given cores ("" for all), as the leader of a group.
func launch(cores string, cmd *exec.Cmd) (*process, error) {
	if cores != "" {
		taskset, err := exec.LookPath("taskset")
		if err != nil {
			return nil, err
		}
		cmd.Args = append([]string{"taskset", "-c", cores, cmd.Path}, cmd.Args[1:]...)
		cmd.Path = taskset
	}
	p := &process{cmd: cmd, output: &output{}, ended: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = p.output
	}
	cmd.Stderr = p.output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Args[0], err)
	}
	go func() {
		_ = cmd.Wait() // the next request shows how it ended
		close(p.ended)
	}()
	return p, nil
}

// stop ends the process with SIGTERM, and with SIGKILL when that takes too long.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.ended
	}
}

// cpuTime returns the processor time that the process has used so far.
func (p *process) cpuTime() (time.Duration, error) {
	_, used, err := readStat(p.cmd.Process.Pid)
	return used, err
}

// childrenTime returns the processor time that its living descendants have used so far: workers are
// children of their jail's first process.
func (p *process) childrenTime() (time.Duration, error) {
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	parents, used := map[int]int{}, map[int]time.Duration{}
	for _, dir := range all {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			return 0, err
		}
		if parent, spent, err := readStat(pid); err == nil { // processes start and end during this loop
			parents[pid], used[pid] = parent, spent
		}
	}
	var sum time.Duration
	for pid := range parents {
		for above := parents[pid]; above != 0; above = parents[above] {
			if above == p.cmd.Process.Pid {
				sum += used[pid]
				break
			}
		}
	}
	return sum, nil
}

// readStat reads the fields ppid, utime and stime, in ticks of 10 ms, of a process's stat:
// proc(5).
func readStat(pid int) (parent int, used time.Duration, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0, 0, fmt.Errorf("/proc/%d/stat is not as expected: %q", pid, text)
	}
	var numbers [3]int64
	for i, field := range []string{fields[1], fields[11], fields[12]} {
		if numbers[i], err = strconv.ParseInt(field, 10, 64); err != nil {
			return 0, 0, err
		}
	}
	return int(numbers[0]), time.Duration(numbers[1]+numbers[2]) * 10 * time.Millisecond, nil
}

// memory returns a line of /proc/PID/status in bytes: VmRSS, RssAnon.
func (p *process) memory(line string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for l := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(l, line+":"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no %s", p.cmd.Process.Pid, line)
}
