package main

import (
	"context"
	"fmt"
)

// measureCached looks at a page that the edge's shared cache will serve once it is
// there. Until then it is a page like another, rendered from the incremental cache.
func measureCached(ctx context.Context, l *lab) ([]result, error) {
	const path = "/about"
	v, cost, err := l.page(ctx, path)
	if err != nil {
		return nil, err
	}
	ratio := median(v.ratios())
	return []result{{
		what: "cached page through the edge: not there yet", ours: side(v.ours), peer: "`next start`: " + side(v.peer),
		ratio: times(ratio), budget: "≥ 30 ×", verdict: ahead(ratio >= 30),
		how: []string{
			fmt.Sprintf("GET %s, a prerendered page, measured as the dynamic page is. The edge has no shared cache yet: every request reaches a worker. nginx's proxy_cache, which the budget names as well, is for then.", path),
			"Rounds: " + v.rounds() + ".",
			cost.String(),
		},
	}}, nil
}
