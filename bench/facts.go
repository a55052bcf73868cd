package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// facts are the conditions of a run.
type facts struct {
	date                               time.Time
	commit                             string
	cpu, kernel, memory, loads         string
	anchor, node, pathNode, nginx, wrk string
	h2load                             string
	next, openNext                     string
}

func gatherFacts(ctx context.Context, l *lab) (f facts, err error) {
	said := func(name string, args ...string) string {
		out, e := exec.CommandContext(ctx, name, args...).CombinedOutput()
		if e != nil && len(out) == 0 && err == nil {
			err = fmt.Errorf("ask %s for its version: %w", name, e)
		}
		line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return line
	}
	f = facts{
		date: time.Now().UTC(), node: l.node.Version, pathNode: l.path.Version,
		commit: said("git", "describe", "--always", "--dirty", "--exclude=*"),
		kernel: said("uname", "-srm"),
		nginx:  strings.TrimPrefix(said("nginx", "-v"), "nginx version: "),
		wrk:    said("wrk", "-v"), // which exits with 1
		h2load: said("h2load", "--version"),
		anchor: said(l.binary, "version"),
		next:   said("node", "-p", fmt.Sprintf("require(%q).version", absolute(l.storefront)+"/node_modules/next/package.json")),
		openNext: said("node", "-p", fmt.Sprintf("require(%q).version",
			absolute(l.storefront)+"/node_modules/@opennextjs/aws/package.json")),
	}
	f.wrk, _, _ = strings.Cut(f.wrk, " [")
	f.cpu = procValue("/proc/cpuinfo", "model name")
	f.memory = procValue("/proc/meminfo", "MemTotal")
	f.loads = loadAverages()
	return f, err
}

// loadAverages returns those of 1, 5 and 15 minutes, which reveal other work on the machine.
func loadAverages() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

func (f facts) rows() [][2]string {
	return [][2]string{
		{"date", f.date.Format("2006-01-02 15:04 UTC")},
		{"commit", f.commit},
		{"machine", fmt.Sprintf("%s, %d cores, %s, %s", f.cpu, runtime.NumCPU(), f.memory, f.kernel)},
		{"load average before the run", f.loads},
		{"Anchor", f.anchor + ", " + runtime.Version()},
		{"Node.js", f.node + " on both sides, " + f.pathNode + " is the machine's"},
		{"the app", "examples/storefront, Next.js " + f.next + ", OpenNext " + f.openNext},
		{"tools", f.wrk + ", " + f.h2load + ", " + f.nginx},
	}
}

// procValue returns the first value of a key in a file of proc(5).
func procValue(file, key string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
