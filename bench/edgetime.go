package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/worker"
)

const (
	cheapRoute = "/api/empty" // a route handler that answers with an empty stream
	edgePairs  = 3000
)

// measureEdgeTime sends the same request to the same worker, alternately through Anchor and
// directly to its socket.
func measureEdgeTime(ctx context.Context, l *lab) ([]result, error) {
	s, err := l.shop(ctx, "")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	socket, err := s.workerSocket()
	if err != nil {
		return nil, err
	}
	through := asker{url: s.site() + cheapRoute, client: &http.Client{Transport: &http.Transport{DisableCompression: true}}}
	direct := asker{url: "http://worker" + cheapRoute, client: &http.Client{Transport: worker.NewDirect(socket)}}
	for range edgePairs / 6 { // the JIT compilers' share
		if _, _, err := pair(ctx, through, direct, true); err != nil {
			return nil, err
		}
	}
	var a, b, more []float64
	for n := range edgePairs {
		x, y, err := pair(ctx, through, direct, n%2 == 0)
		if err != nil {
			return nil, err
		}
		a, b, more = append(a, inMS(x)), append(b, inMS(y)), append(more, inMS(x-y))
	}
	added := median(a) - median(b)
	return []result{{
		what: "time the edge adds to a dynamic request (p50)", ours: ms(added),
		budget: "≤ 0.3 ms (stretch 0.1 ms)", verdict: judge(added <= 0.3),
		how: []string{
			fmt.Sprintf("GET %s, one request at a time over kept connections, %d through Anchor and as many straight at the Unix socket of its one worker, in turns, "+
				"the first of each pair changing; the direct ones carry the headers that the edge adds. p50 %s through Anchor, %s straight; the difference is the figure. "+
				"The median of the differences within a pair is %s; p99 is %s and %s.",
				cheapRoute, edgePairs, ms(median(a)), ms(median(b)), ms(median(more)), ms(quantile(a, .99)), ms(quantile(b, .99))),
			"The figure includes the whole hop to Anchor: TCP, two more passes of the request and the answer through the kernel, and HTTP in Go on both sides.",
		},
	}}, nil
}

// workerSocket finds the socket of the only worker that runs.
func (s *server) workerSocket() (string, error) {
	found, err := filepath.Glob(filepath.Join(s.run, "anchor-*", "w*", "s", "*"))
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("expected one worker's socket in %s, found %q", s.run, found)
	}
	return found[0], nil
}

type asker struct {
	url    string
	client *http.Client
}

// pair times one request on each path.
func pair(ctx context.Context, through, direct asker, throughFirst bool) (t, d time.Duration, err error) {
	if throughFirst {
		if t, err = through.ask(ctx); err != nil {
			return 0, 0, err
		}
	}
	if d, err = direct.ask(ctx); err != nil {
		return 0, 0, err
	}
	if !throughFirst {
		t, err = through.ask(ctx)
	}
	return t, d, err
}

func (a asker) ask(ctx context.Context) (time.Duration, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url, nil)
	if err != nil {
		return 0, err
	}
	r.Host = shopHost
	for name, value := range map[string]string{
		"X-Forwarded-Host": shopHost, "X-Forwarded-Proto": "http", "X-Forwarded-Port": "80",
		"X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1",
	} {
		r.Header.Set(name, value)
	}
	began := time.Now()
	res, err := a.client.Do(r)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	res.Body.Close()
	took := time.Since(began)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %d", a.url, res.StatusCode)
	}
	return took, err
}
