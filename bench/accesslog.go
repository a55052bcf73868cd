package main

import (
	"context"
	"fmt"
	"path/filepath"
)

// accessLogShare is the most that a whole access log may add to the processor time of a static file.
const accessLogShare = 0.02

// measureAccessLog loads two servers in turns, of which one writes a line for each request.
func measureAccessLog(ctx context.Context, l *lab) ([]result, error) {
	assets := filepath.Join(l.storefront, ".open-next", "assets")
	path, length, err := typicalChunk(assets, typical)
	if err != nil {
		return nil, err
	}
	without, err := l.shop(ctx, "0")
	if err != nil {
		return nil, err
	}
	defer without.stop()
	logs, err := l.folder("log")
	if err != nil {
		return nil, err
	}
	with, err := l.up(ctx, "0", "--access-log", filepath.Join(logs, "access.log"))
	if err != nil {
		return nil, err
	}
	defer with.stop()
	if err := with.deployShop(ctx); err != nil {
		return nil, err
	}
	ask := load{cores: "1", connections: staticConnections, length: l.length / 2, host: shopHost}
	ours, theirs := ask, ask
	ours.url, theirs.url = with.site()+path, without.site()+path
	rounds := l.rounds + 2 // a difference of two like costs: noise is a large part of it
	v, err := contest{ours: ours, peer: theirs, oursCPU: with.cpuTime, peerCPU: without.cpuTime}.run(ctx, rounds, l.say)
	if err != nil {
		return nil, err
	}
	added := 1/median(v.costRatios()) - 1
	return []result{{
		what: "access log of all requests, static asset", ours: side(v.ours), peer: "without a log: " + side(v.peer),
		ratio: fmt.Sprintf("%+.1f %%", 100*added), budget: fmt.Sprintf("≤ %.0f %% of the processor time", 100*accessLogShare), verdict: judge(added <= accessLogShare),
		how: []string{
			fmt.Sprintf("GET of a hashed file of %s, as for the comparison with nginx, with and without `--access-log`; %d interleaved rounds of %s. "+
				"A request took %.2f µs of the process' time with a log and %.2f µs without; the figure is the median of the rounds' ratios. The counters of `anchor stats` and Prometheus run on both sides.",
				size(length), rounds, ask.length, median(costs(v.ours, v.oursBusy)), median(costs(v.peer, v.peerBy))),
		},
	}}, nil
}
