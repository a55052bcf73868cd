// Command bench measures Anchor against its budgets and named peers, prints the
// table and writes it to bench/report.md. Run it from the repository's root, after
// `make build examples`; `make bench` does all of it.
//
//	go run ./bench                   # everything, under 15 minutes
//	go run ./bench -only rollback    # one part; the report is left alone
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// part is one measurement. It returns a line of the table for each of its budgets.
type part struct {
	name    string
	measure func(ctx context.Context, l *lab) ([]result, error)
}

var parts = []part{
	{"memory", measureMemory}, // first: the machine is idle and nothing is cached
	{"deploy", measureDeploy},
	{"redeploy", measureRedeploy},
	{"edge", measureEdgeTime},
	{"dynamic", measureDynamic},
	{"rollback", measureRollback},
	{"switching", measureSwitching},
	{"static", measureStatic},
	{"accesslog", measureAccessLog},
	{"tls", measureTLS},
	{"http3", measureHTTP3},
	{"cached", measureCached},
	{"rate", measureFixedRate},
	{"pages", measurePages},
	{"overload", measureOverload},
	{"builds", measureBuilds},
	{"dashboard", measureDashboard},
	{"aws", measureAWSCalls},
}

type options struct {
	storefront string
	binary     string
	only       string
	out        string
	rounds     int
	length     time.Duration
	projects   int
}

func main() {
	if edge := strings.Split(os.Getenv(edgeVariable), "\n"); len(edge) == 3 {
		port, _ := strconv.Atoi(edge[1]) // as edgeServer has written it
		if err := serveEdge(edge[0], port, edge[2]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.StringVar(&o.storefront, "storefront", "examples/storefront", "the built example app")
	flag.StringVar(&o.binary, "anchor", "bin/anchor", "the Anchor to measure")
	flag.StringVar(&o.only, "only", "", "parts to run, separated by commas; prints only, unless -out is given")
	flag.StringVar(&o.out, "out", "", "where the report goes (default: bench/report.md for a whole run)")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds of each comparison")
	flag.DurationVar(&o.length, "length", 8*time.Second, "how long wrk loads in one round")
	flag.IntVar(&o.projects, "projects", 100, "projects of the memory measurement")
	flag.Parse()
	if o.only == "" && o.out == "" {
		o.out = "bench/report.md"
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	chosen, err := choose(o.only)
	if err != nil {
		return err
	}
	l, err := newLab(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	began := time.Now()
	var results []result
	for _, p := range chosen {
		l.say("%s", p.name)
		got, err := p.measure(ctx, l)
		if err != nil {
			return fmt.Errorf("measure %s: %w", p.name, err)
		}
		results = append(results, got...)
	}
	text := report(l.facts, results, time.Since(began))
	fmt.Print(text)
	if o.out == "" {
		return nil
	}
	return os.WriteFile(o.out, []byte(text), 0o644)
}

func choose(only string) ([]part, error) {
	if only == "" {
		return parts, nil
	}
	var chosen []part
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(parts, func(p part) bool { return p.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no part %q; the parts are %s", name, partNames())
		}
		chosen = append(chosen, parts[i])
	}
	return chosen, nil
}

func partNames() string {
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = p.name
	}
	return strings.Join(names, ", ")
}
