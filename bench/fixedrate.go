package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

const fixedRate = 5000 // requests per second

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
			got := paced{url: side.base + path, perSecond: fixedRate, length: l.length / 2, limit: 5 * time.Second}.run(ctx)
			if got.failures()+got.shed > 0 {
				return nil, fmt.Errorf("%s: %d shed, failures: %v", side.base, got.shed, got.failed)
			}
			*side.p99 = append(*side.p99, got.tail())
		}
		l.say("  round %d: p99 %s, peer %s", n+1, ms(ours[n]), ms(theirs[n]))
	}
	a, b := median(ours), median(theirs)
	return []result{{
		what: "p99 of static files at 5,000/s", ours: ms(a), peer: "nginx: " + ms(b), ratio: times(a / b),
		budget: "≤ 1.2 × nginx", verdict: judge(a <= 1.2*b),
		how: []string{fmt.Sprintf("A file of %s at a fixed rate, over connections that are kept, each request timed from when it was due; %d interleaved rounds of %s, medians of their p99. "+
			"The server is confined to one core. The load generator, which is Go's net/http, uses both, so much of the figure is its own.", size(length), l.rounds, l.length/2)},
	}}, nil
}
