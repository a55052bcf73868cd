package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

const (
	switchingTime = 60 * time.Second
	besideRate    = 1000 // static files per second beside the switches
)

// measureSwitching switches while static files are served at full speed, and at a rate that shows what they
// wait for.
func measureSwitching(ctx context.Context, l *lab) ([]result, error) {
	s, err := l.up(ctx, "")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	ids, err := s.deployTwo(ctx)
	if err != nil {
		return nil, err
	}
	url := s.site() + "/robots.txt"
	beside := paced{url: url, perSecond: besideRate, length: l.length, limit: 10 * time.Second}
	calm := beside.run(ctx)
	var during outcome
	var all sync.WaitGroup
	all.Go(func() { during = beside.run(ctx) })
	_, err = switchFor(ctx, s, ids, l.length, int(l.length/switchPause))
	all.Wait()
	if err != nil {
		return nil, err
	}
	if n := calm.failures() + calm.shed + during.failures() + during.shed; n > 0 {
		return nil, fmt.Errorf("%d static files were not served: %v, %v", n, calm.failed, during.failed)
	}
	var full loaded
	var failed error
	all.Go(func() {
		full, failed = wrk(ctx, load{connections: staticConnections, length: switchingTime, url: url, host: shopHost})
	})
	calls, err := switchFor(ctx, s, ids, switchingTime, switches)
	all.Wait()
	if err != nil {
		return nil, err
	}
	a, b := during.tail(), calm.tail()
	errorsSeen := "0 errors"
	if failed != nil {
		errorsSeen = failed.Error()
	}
	return []result{{
		what: "p99 of static files while deployments are switched", ours: ms(a), peer: "without switches: " + ms(b), ratio: times(a / b),
		budget: "≤ 2 ×", verdict: judge(a <= 2*b),
		how: []string{fmt.Sprintf("A static file at %d/s, each timed from when it was due, for %s without and for %s with switches %s apart. All share both cores.", besideRate, l.length, l.length, switchPause)},
	}, {
		what: "200 switches in 60 s at full speed", ours: fmt.Sprintf("%d switches, p99 of a call %s; %.0f requests/s, %s", len(calls), ms(quantile(calls, .99)), full.perSecond, errorsSeen),
		budget: "0 errors", verdict: judge(failed == nil && len(calls) >= switches),
		how: []string{fmt.Sprintf("%d keep-alive connections of wrk ask for a static file as fast as they can for %s, on the same cores, while rollbacks go to and fro between two deployments. "+
			"wrk counts every answer that is not 2xx and every broken connection.", staticConnections, switchingTime)},
	}}, nil
}

// deployTwo deploys two versions of the shop and returns their ids.
func (s *server) deployTwo(ctx context.Context) (ids []anchor.DeploymentID, err error) {
	for n := 1; n <= 2; n++ {
		app, err := s.lab.variant(n)
		if err != nil {
			return nil, err
		}
		d, err := s.deploy(ctx, app, "shop", s.api)
		if err != nil {
			return nil, err
		}
		ids = append(ids, anchor.DeploymentID(d.DeploymentID))
	}
	return ids, nil
}

// switchFor makes n switches evenly within a time, and returns how long each call took in ms.
func switchFor(ctx context.Context, s *server, ids []anchor.DeploymentID, d time.Duration, n int) (calls []float64, err error) {
	client, began := s.client(), time.Now()
	for i := range n {
		time.Sleep(time.Until(began.Add(time.Duration(i) * d / time.Duration(n))))
		at := time.Now()
		if _, err := client.Rollback(ctx, "shop", wire.Rollback{TargetDeploymentID: ids[i%len(ids)]}); err != nil {
			return calls, fmt.Errorf("rollback %d: %w", i+1, err)
		}
		calls = append(calls, inMS(time.Since(at)))
	}
	return calls, nil
}
