package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	fixedRate         = 5000 // requests per second
	steadyConnections = 50
	// h2load sends the requests of all its connections at once, every 10 ms. One with fifty would measure how long it takes
	// itself to read fifty answers, so ten share the connections, each at its own time.
	generators   = 10
	steadyRounds = 9 // at least: one pause changes the p99 of a short round
)

// measureFixedRate compares the waiting time of static files at a rate that both servers reach.
func measureFixedRate(ctx context.Context, l *lab) ([]result, error) {
	assets := filepath.Join(l.storefront, ".open-next", "assets")
	path, length, err := typicalChunk(assets, typical)
	if err != nil {
		return nil, err
	}
	s, err := l.shop(ctx, "0")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	peer, base, err := l.nginx(ctx, assets, path)
	if err != nil {
		return nil, err
	}
	defer peer.stop()
	if err := sameBody(ctx, s.site(), base, path); err != nil {
		return nil, err
	}
	rounds := max(l.rounds, steadyRounds)
	ours, theirs := steadySide{base: s.site(), cpu: s.cpuTime}, steadySide{base: base, cpu: peer.cpuTime}
	for n := range rounds {
		for _, side := range []*steadySide{&ours, &theirs} {
			if err := side.round(ctx, path, l.length/4); err != nil {
				return nil, fmt.Errorf("%s: %w", side.base, err)
			}
		}
		l.say("  round %d: p99 %s, peer %s", n+1, ms(ours.p99[n]), ms(theirs.p99[n]))
	}
	a, b := median(ours.p99), median(theirs.p99)
	return []result{{
		what: "p99 of static files at 5,000/s", ours: ms(a), peer: "nginx: " + ms(b), ratio: times(a / b),
		budget: "≤ 1 × nginx", verdict: judge(a <= b),
		how: []string{
			fmt.Sprintf("A file of %s at a fixed rate over HTTP/1.1, %d kept connections with %d requests per second each, from %d h2load processes that send at times of their own; %d interleaved rounds of %s, medians of their p99. "+
				"The server is confined to one core and h2load to another.", size(length), steadyConnections, fixedRate/steadyConnections, generators, rounds, l.length/4),
			fmt.Sprintf("p50 %s, nginx %s. A request took %.1f µs of Anchor's processor time and %.1f µs of nginx's. p99 by rounds: %s; nginx %s.",
				ms(median(ours.p50)), ms(median(theirs.p50)), median(ours.cost), median(theirs.cost), listed(ours.p99), listed(theirs.p99)),
		},
	}}, nil
}

// steadySide is one server at the fixed rate, with a figure for each round.
type steadySide struct {
	base     string
	cpu      func() (time.Duration, error)
	p50, p99 []float64 // ms
	cost     []float64 // µs of processor time for a request
}

func (s *steadySide) round(ctx context.Context, path string, length time.Duration) error {
	before, err := s.cpu()
	if err != nil {
		return err
	}
	waited, err := steady{url: s.base + path, length: length}.run(ctx)
	if err != nil {
		return err
	}
	after, err := s.cpu()
	if err != nil {
		return err
	}
	s.p50, s.p99 = append(s.p50, quantile(waited, .5)), append(s.p99, quantile(waited, .99))
	s.cost = append(s.cost, (after-before).Seconds()*1e6/float64(len(waited)))
	return nil
}

func listed(all []float64) string {
	text := make([]string, len(all))
	for i, v := range all {
		text[i] = fmt.Sprintf("%.2f", v)
	}
	return strings.Join(text, ", ")
}

// steady is a load at fixedRate, whatever the server can do.
type steady struct {
	url    string
	length time.Duration
}

// run returns how long each request waited for the end of its answer, in ms. An answer other than 200 is an error.
func (s steady) run(ctx context.Context) (waited []float64, err error) {
	dir, err := os.MkdirTemp("", "anchor-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	type part struct {
		waited []float64
		err    error
	}
	parts := make(chan part, generators)
	for n := range generators {
		go func() {
			waited, err := s.generate(ctx, filepath.Join(dir, strconv.Itoa(n)))
			parts <- part{waited, err}
		}()
		// A tenth more than the period, so that each sends at a time of its own within it.
		time.Sleep(11 * time.Millisecond)
	}
	for range generators {
		p := <-parts
		waited, err = append(waited, p.waited...), errors.Join(err, p.err)
	}
	return waited, err
}

// generate is one generator's part of the load. list is a file that it makes.
func (s steady) generate(ctx context.Context, list string) (waited []float64, err error) {
	at, err := url.Parse(s.url)
	if err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, "taskset", "-c", "1", "h2load", "--h1", fmt.Sprintf("-c%d", steadyConnections/generators),
		fmt.Sprintf("--rps=%d", fixedRate/steadyConnections), fmt.Sprintf("-D%d", max(1, int(s.length.Seconds()))),
		"--log-file="+list, "--connect-to="+at.Host, "http://"+net.JoinHostPort(shopHost, at.Port())+at.Path).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("h2load: %w\n%s", err, out)
	}
	if _, err := readH2load(string(out)); err != nil {
		return nil, err
	}
	lines, err := os.ReadFile(list)
	if err != nil {
		return nil, err
	}
	return readRequests(string(lines))
}

// readRequests reads h2load's list of requests: when it was sent, its status, and the microseconds that it took.
func readRequests(lines string) (waited []float64, err error) {
	for line := range strings.Lines(lines) {
		f := strings.Fields(line)
		if len(f) != 3 || f[1] != "200" {
			return nil, fmt.Errorf("h2load lists %q", line)
		}
		took, err := strconv.Atoi(f[2])
		if err != nil {
			return nil, fmt.Errorf("h2load lists %q: %w", line, err)
		}
		waited = append(waited, float64(took)/1000)
	}
	if len(waited) == 0 {
		return nil, errors.New("h2load lists no request")
	}
	return waited, nil
}
