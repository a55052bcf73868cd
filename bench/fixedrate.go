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
	var ours, theirs []float64
	for n := range l.rounds {
		for _, side := range []struct {
			base string
			p99  *[]float64
		}{{s.site(), &ours}, {base, &theirs}} {
			waited, err := steady{url: side.base + path, length: l.length / 2}.run(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", side.base, err)
			}
			*side.p99 = append(*side.p99, quantile(waited, .99))
		}
		l.say("  round %d: p99 %s, peer %s", n+1, ms(ours[n]), ms(theirs[n]))
	}
	a, b := median(ours), median(theirs)
	return []result{{
		what: "p99 of static files at 5,000/s", ours: ms(a), peer: "nginx: " + ms(b), ratio: times(a / b),
		budget: "≤ 1 × nginx", verdict: judge(a <= b),
		how: []string{fmt.Sprintf("A file of %s at a fixed rate from h2load over HTTP/1.1, %d kept connections with %d requests per second each; %d interleaved rounds of %s, medians of their p99. "+
			"The server is confined to one core and h2load to another.", size(length), steadyConnections, fixedRate/steadyConnections, l.rounds, l.length/2)},
	}}, nil
}

// steady is a load at fixedRate, whatever the server can do.
type steady struct {
	url    string
	length time.Duration
}

// run returns how long each request waited for the end of its answer, in ms. An answer other than 200 is an error.
func (s steady) run(ctx context.Context) (waited []float64, err error) {
	at, err := url.Parse(s.url)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "anchor-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	list := filepath.Join(dir, "requests")
	out, err := exec.CommandContext(ctx, "taskset", "-c", "1", "h2load", "--h1", fmt.Sprintf("-c%d", steadyConnections),
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
