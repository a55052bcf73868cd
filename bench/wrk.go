package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// load is how wrk, or h2load, sends requests, equal for both sides of a comparison.
type load struct {
	tool        func(context.Context, load) (loaded, error) // nil for wrk
	streams     int                                         // requests at a time on a connection, with h2load; 0 for HTTP/1.1
	cores       string                                      // of the tool itself, "" for all
	connections int
	length      time.Duration
	url, host   string
}

func (l load) run(ctx context.Context) (loaded, error) {
	if l.tool != nil {
		return l.tool(ctx, l)
	}
	return wrk(ctx, l)
}

// loaded is what the tool measured in one round.
type loaded struct {
	perSecond float64
	p50, p99  time.Duration
	length    time.Duration
}

// wrk loads a server in one round. An answer other than 2xx or 3xx, or a broken connection, is an
// error: a figure of failures means nothing.
func wrk(ctx context.Context, l load) (loaded, error) {
	args := []string{
		"-t1", fmt.Sprintf("-c%d", l.connections), fmt.Sprintf("-d%ds", max(1, int(l.length.Seconds()))),
		"--latency", "--timeout", "20s", "-H", "Host: " + l.host, l.url,
	}
	name := "wrk"
	if l.cores != "" {
		name, args = "taskset", append([]string{"-c", l.cores, "wrk"}, args...)
	}
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return loaded{}, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	got, err := readWrk(string(out))
	got.length = l.length
	return got, err
}

var (
	wrkRate   = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	wrkP50    = regexp.MustCompile(`50%\s+([\d.]+(?:us|ms|s|m))\s`)
	wrkP99    = regexp.MustCompile(`99%\s+([\d.]+(?:us|ms|s|m))\s`)
	wrkFaults = regexp.MustCompile(`(?:Non-2xx|Socket errors).*`)
)

func readWrk(text string) (got loaded, err error) {
	if fault := wrkFaults.FindString(text); fault != "" {
		return got, fmt.Errorf("wrk saw failures: %s", fault)
	}
	rate := wrkRate.FindStringSubmatch(text)
	if rate == nil {
		return got, fmt.Errorf("wrk gave no rate:\n%s", text)
	}
	if got.perSecond, err = strconv.ParseFloat(rate[1], 64); err != nil {
		return got, err
	}
	for at, re := range map[*time.Duration]*regexp.Regexp{&got.p50: wrkP50, &got.p99: wrkP99} {
		m := re.FindStringSubmatch(text)
		if m == nil {
			return got, fmt.Errorf("wrk gave no latencies:\n%s", text)
		}
		if *at, err = time.ParseDuration(m[1]); err != nil {
			return got, err
		}
	}
	return got, nil
}
