package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/e2e"
)

const (
	overloadFactor = 10
	overloadTime   = 30 * time.Second
	calmRate       = 500 // requests per second for a cached page, and as many for a file
	recoverWithin  = 5 * time.Second
)

// measureOverload asks for ten times the pages that the functions can render, and looks at everybody
// else meanwhile and afterwards.
func measureOverload(ctx context.Context, l *lab) ([]result, error) {
	s, err := l.shop(ctx, "", e2e.NarrowMiddleware)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	full := load{connections: dynamicConnections, length: l.length / 2, url: s.site() + "/dynamic", host: shopHost}
	if _, err := wrk(ctx, full); err != nil { // warms up
		return nil, err
	}
	before, err := wrk(ctx, full)
	if err != nil {
		return nil, err
	}
	calm, err := s.memory("RssAnon")
	if err != nil {
		return nil, err
	}
	var page, file, dynamic outcome
	var all sync.WaitGroup
	for to, p := range map[*outcome]paced{
		&page:    {url: s.site() + "/about", perSecond: calmRate},
		&file:    {url: s.site() + "/robots.txt", perSecond: calmRate},
		&dynamic: {url: s.site() + "/dynamic", perSecond: max(1, int(overloadFactor*before.perSecond))},
	} {
		p.length, p.limit = overloadTime, 15*time.Second
		all.Go(func() { *to = p.run(ctx) })
	}
	peak, watched := int64(0), make(chan struct{})
	go func() { all.Wait(); close(watched) }()
	for ended := false; !ended; {
		select {
		case <-watched:
			ended = true
		case <-time.After(250 * time.Millisecond):
			if now, err := s.memory("RssAnon"); err == nil {
				peak = max(peak, now)
			}
		}
	}
	over := time.Now()
	var recovered time.Duration
	var after loaded
	for {
		if after, err = wrk(ctx, load{connections: dynamicConnections, length: time.Second, url: full.url, host: shopHost}); err == nil && after.perSecond >= .9*before.perSecond {
			recovered = time.Since(over)
			break
		}
		if time.Since(over) > 6*recoverWithin {
			recovered = time.Since(over)
			break
		}
	}
	l.say("  cached %.2f, static %.2f of their rate; dynamic: %d served, %d shed, %v; peak %s; full speed after %s", page.okShare(), file.okShare(), len(dynamic.ok), dynamic.shed, dynamic.failed, size(peak), recovered)
	others := page.okShare() >= .8 && file.okShare() >= .8
	clean := dynamic.failures() == 0
	return []result{{
		what: "overload: ten times the pages that can be rendered",
		ours: fmt.Sprintf("cached pages at %.2f and static files at %.2f of their rate; of %d dynamic requests %d served, %d answered with 503 and Retry-After, %d otherwise; full speed after %s",
			page.okShare(), file.okShare(), dynamic.due, len(dynamic.ok), dynamic.shed, dynamic.failures(), recovered.Round(100*time.Millisecond)),
		budget:  "others ≥ 0.8 of their rate; the rest 503 with Retry-After; memory bounded; full speed within 5 s",
		verdict: judge(others && clean && recovered <= recoverWithin && peak-calm <= 256<<20),
		how: []string{
			fmt.Sprintf("/dynamic at %d requests per second, ten times what it is served at under %d connections, for %s, whether or not earlier ones were answered, from 64 addresses; "+
				"/about, which is cached, and a static file at %d per second each. Load generator, workers and Anchor share both cores. p99 of the cached page %s, of the file %s, of what was served of /dynamic %s.",
				int(overloadFactor*before.perSecond), dynamicConnections, overloadTime, calmRate, ms(page.tail()), ms(file.tail()), ms(dynamic.tail())),
			fmt.Sprintf("RssAnon of Anchor's own process was %s before and %s at most meanwhile; up to 256 MB more is within the budget. Full speed is 0.9 of the rate before. Other failures: cached %v, static %v, dynamic %v.",
				size(calm), size(peak), page.failed, file.failed, dynamic.failed),
		},
	}}, nil
}
