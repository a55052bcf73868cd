package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

const (
	switches    = 200
	calmly      = 50 // switches without visitors
	switchPause = 50 * time.Millisecond
)

// measureRollback switches between two deployments while visitors are on the site.
func measureRollback(ctx context.Context, l *lab) ([]result, error) {
	s, err := l.up(ctx, "")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	ids, err := s.deployTwo(ctx)
	if err != nil {
		return nil, err
	}
	calm, _, err := switchBetween(ctx, s, ids, calmly)
	if err != nil {
		return nil, err
	}
	crowd := visit(ctx, s)
	time.Sleep(2 * time.Second) // both start
	calls, inside, err := switchBetween(ctx, s, ids, switches)
	seen := crowd.leave()
	if err != nil {
		return nil, err
	}
	l.say("  %d visits, %d failed", seen.visits, len(seen.faults))
	p99 := quantile(calls, .99)
	r := result{
		what:    "rollback, call to traffic moved, under load",
		ours:    fmt.Sprintf("p50 %s, p99 %s; %d of %d requests failed", ms(median(calls)), ms(p99), len(seen.faults), seen.visits),
		budget:  fmt.Sprintf("p99 ≤ 10 ms, 0 failed requests in %d switches", switches),
		verdict: judge(p99 <= 10 && len(seen.faults) == 0),
		how: []string{
			fmt.Sprintf("%d rollbacks to and fro between two deployments whose workers are warm, %s apart. Timed at the client from the call to its answer; "+
				"after each answer a request to the site had to be served by the target, by its X-Anchor-Deployment. The slowest took %s. "+
				"What the server itself says (rollbackTimeMs): p50 %.0f ms, p99 %.0f ms. "+
				"Before the load came, %d such calls took p50 %s, p99 %s.",
				len(calls), switchPause, ms(quantile(calls, 1)), median(inside), quantile(inside, .99), len(calm), ms(median(calm)), ms(quantile(calm, .99))),
			fmt.Sprintf("Meanwhile %s made %d requests in %s: every answer had to be 200, whole and of one version. %d were not.",
				crowdIs, seen.visits, seen.took.Round(time.Second), len(seen.faults)),
		},
	}
	for i, fault := range seen.faults {
		if i == 5 {
			break
		}
		r.how = append(r.how, "Failed: "+fault)
	}
	return []result{r}, nil
}

// switchBetween returns, for each switch in ms, the duration of the call at the client and the
// server's own measurement.
func switchBetween(ctx context.Context, s *server, ids []anchor.DeploymentID, n int) (calls, inside []float64, err error) {
	client := s.client()
	for n := range n {
		target := ids[n%len(ids)]
		began := time.Now()
		done, err := client.Rollback(ctx, "shop", wire.Rollback{TargetDeploymentID: target})
		if err != nil {
			return nil, nil, fmt.Errorf("rollback %d: %w", n+1, err)
		}
		calls, inside = append(calls, inMS(time.Since(began))), append(inside, float64(done.RollbackTimeMS))
		if err := servedBy(ctx, s, target); err != nil {
			return nil, nil, fmt.Errorf("after rollback %d: %w", n+1, err)
		}
		time.Sleep(switchPause)
	}
	return calls, inside, nil
}

// servedBy checks that the site's traffic reaches a deployment.
func servedBy(ctx context.Context, s *server, target anchor.DeploymentID) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.site()+"/version.txt", nil)
	if err != nil {
		return err
	}
	r.Host = shopHost
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if got := res.Header.Get("X-Anchor-Deployment"); got != string(target) {
		return fmt.Errorf("the site is served by %q, not by %s", got, target)
	}
	return nil
}
