package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/anchor-deploy/anchor/internal/local/worker"
)

// Connections of the dynamic load. Beyond eight in flight Anchor starts the second
// worker; thirty-two keep both busy, and the one process of the peer as well.
const dynamicConnections = 32

func measureDynamic(ctx context.Context, l *lab) (results []result, err error) {
	for _, peer := range []struct {
		name           string
		node           worker.Node
		limit, stretch float64
	}{
		{"`next start`", l.node, 1.8, 2},
		{"`next start` on Node.js " + l.path.Version, l.path, 2.4, 0},
	} {
		v, cost, err := l.page(ctx, "/dynamic", peer.node)
		if err != nil {
			return nil, err
		}
		budget := fmt.Sprintf("≥ %g ×", peer.limit)
		if peer.stretch > 0 {
			budget += fmt.Sprintf(" (stretch %g ×)", peer.stretch)
		}
		ratio := median(v.ratios())
		results = append(results, result{
			what: "dynamic page, two cores", ours: side(v.ours), peer: peer.name + ": " + side(v.peer),
			ratio: times(ratio), budget: budget, verdict: judge(ratio >= peer.limit),
			how: []string{
				fmt.Sprintf("GET /dynamic with the same Host, %d keep-alive connections of one wrk thread, %d interleaved rounds of %s after a warm-up of both; medians. "+
					"The peer is one process of the standalone server of the same build, on Node.js %s; Anchor's workers are on %s. Both are confined to the same two cores%s. "+
					"Both answered 200 with the same page before the first round.", dynamicConnections, l.rounds, l.length, peer.node.Version, l.node.Version, whereWrkRuns()),
				"Rounds: " + v.rounds() + ".",
				cost.String(),
			},
		})
	}
	return results, nil
}

// page compares one page of the storefront under load, Anchor against next start.
func (l *lab) page(ctx context.Context, path string, node worker.Node) (v verdicts, cost pageCost, err error) {
	const cores = "0,1"
	s, err := l.shop(ctx, cores)
	if err != nil {
		return v, cost, err
	}
	defer s.stop()
	next, base, err := l.nextStart(ctx, cores, node)
	if err != nil {
		return v, cost, err
	}
	defer next.stop()
	if err := sameBody(ctx, s.site(), base, path); err != nil {
		return v, cost, err
	}
	ask := load{cores: wrkCores(), connections: dynamicConnections, length: l.length, host: shopHost}
	ours, peer := ask, ask
	ours.url, peer.url = s.site()+path, base+path
	warm := contest{ours: ours, peer: peer}
	if _, err := warm.run(ctx, 1, func(string, ...any) {}); err != nil {
		return v, cost, fmt.Errorf("warm up: %w", err)
	}
	if v, err = (contest{ours: ours, peer: peer}).run(ctx, l.rounds, l.say); err != nil {
		return v, cost, err
	}
	cost, err = costOf(ctx, s, next, ours, peer)
	return v, cost, err
}

// wrkCores keeps the load off the two measured cores when there are more.
func wrkCores() string {
	if n := runtime.NumCPU(); n > 2 {
		return fmt.Sprintf("2-%d", n-1)
	}
	return ""
}

func whereWrkRuns() string {
	if wrkCores() == "" {
		return ", which wrk shares, as the machine has no more"
	}
	return "; wrk runs on others"
}
