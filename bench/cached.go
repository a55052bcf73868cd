package main

import (
	"context"
	"fmt"
	"time"

	"github.com/anchor-deploy/anchor/e2e"
)

// cachePeers are what a cached page is compared with, and how many times cheaper it has to be.
var cachePeers = []struct {
	name    string
	budget  float64
	stretch string
	start   func(l *lab, ctx context.Context, origin, path string) (*process, string, error)
}{
	{"nginx proxy_cache", 1.2, " (stretch 1.5 ×)", (*lab).nginxCache},
	{"Varnish", 5, "", (*lab).varnish},
	{"next start", 100, "", nil},
}

// measureCached compares a prerendered page that is in the caches, one core for the server and
// another for the load.
func measureCached(ctx context.Context, l *lab) ([]result, error) {
	const path = "/about"
	s, err := l.shop(ctx, "0", e2e.NarrowMiddleware)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	next, origin, err := l.nextStart(ctx, "0", l.node)
	if err != nil {
		return nil, err
	}
	defer next.stop()
	var results []result
	for _, peer := range cachePeers {
		p, base := next, origin
		if peer.start != nil {
			if p, base, err = peer.start(l, ctx, origin, path); err != nil {
				return nil, err
			}
		}
		v, err := l.cachedContest(ctx, s, p, base, path)
		if peer.start != nil {
			p.stop()
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", peer.name, err)
		}
		ratio := median(v.costRatios())
		results = append(results, result{
			what: "cached page, one core each", ours: side(v.ours), peer: peer.name + ": " + side(v.peer),
			ratio: times(ratio), verdict: judge(ratio >= peer.budget),
			budget: fmt.Sprintf("≥ %g × %s%s, by processor time", peer.budget, peer.name, peer.stretch),
			how: []string{
				fmt.Sprintf("GET %s, a prerendered page, uncompressed, that visitors may share; %d keep-alive connections of one wrk thread. The server is confined to one core and wrk to another; "+
					"%d interleaved rounds of %s after a first request of each. The caches have the page of next start, of the same build.",
					path, staticConnections, l.rounds, l.length/2),
				fmt.Sprintf("A request took %.1f µs of Anchor's processor time and %.1f µs of the peer's, all its processes counted; Anchor's process was on its core for %.0f %% of the time, the peer for %.0f %%.",
					median(costs(v.ours, v.oursBusy)), median(costs(v.peer, v.peerBy)), 100*median(v.oursBusy), 100*median(v.peerBy)),
				"Rounds by requests: " + v.rounds() + ".",
			},
		})
	}
	return results, nil
}

func (l *lab) cachedContest(ctx context.Context, s *server, peer *process, base, path string) (v verdicts, err error) {
	if err := sameBody(ctx, s.site(), base, path); err != nil {
		return v, err
	}
	ask := load{cores: "1", connections: staticConnections, length: l.length / 2, host: shopHost}
	ours, theirs := ask, ask
	ours.url, theirs.url = s.site()+path, base+path
	return contest{ours: ours, peer: theirs, oursCPU: s.treeTime, peerCPU: peer.treeTime}.run(ctx, l.rounds, l.say)
}

// treeTime returns the processor time of a process and its descendants so far.
func (p *process) treeTime() (time.Duration, error) {
	own, err := p.cpuTime()
	if err != nil {
		return 0, err
	}
	others, err := p.childrenTime()
	return own + others, err
}
