package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// contest is a comparison under load in interleaved rounds: A, B, A, B, …
type contest struct {
	ours, peer load
	oursCPU    func() (time.Duration, error) // may be nil; of the serving process
	peerCPU    func() (time.Duration, error)
}

// verdicts holds the rounds of a contest.
type verdicts struct {
	ours, peer       []loaded
	oursBusy, peerBy []float64 // of one core, by round
}

func (c contest) run(ctx context.Context, rounds int, say func(string, ...any)) (v verdicts, err error) {
	for n := range rounds {
		ours, busy, err := busyDuring(ctx, c.ours, c.oursCPU)
		if err != nil {
			return v, fmt.Errorf("ours: %w", err)
		}
		peer, peerBusy, err := busyDuring(ctx, c.peer, c.peerCPU)
		if err != nil {
			return v, fmt.Errorf("peer: %w", err)
		}
		v.ours, v.oursBusy = append(v.ours, ours), append(v.oursBusy, busy)
		v.peer, v.peerBy = append(v.peer, peer), append(v.peerBy, peerBusy)
		say("  round %d: %.0f/s, peer %.0f/s", n+1, ours.perSecond, peer.perSecond)
	}
	return v, nil
}

func busyDuring(ctx context.Context, l load, cpu func() (time.Duration, error)) (loaded, float64, error) {
	if cpu == nil {
		got, err := l.run(ctx)
		return got, 0, err
	}
	before, err := cpu()
	if err != nil {
		return loaded{}, 0, err
	}
	began := time.Now()
	got, err := l.run(ctx)
	if err != nil {
		return got, 0, err
	}
	after, err := cpu()
	return got, (after - before).Seconds() / time.Since(began).Seconds(), err
}

func rates(all []loaded) []float64 { return pick(all, func(l loaded) float64 { return l.perSecond }) }

// ratios returns ours divided by the peer's, by round.
func (v verdicts) ratios() []float64 {
	r := make([]float64, len(v.ours))
	for i := range r {
		r[i] = v.ours[i].perSecond / v.peer[i].perSecond
	}
	return r
}

// costs are the microseconds of the server's processor time for a request, by round: the figure that survives other
// load on the machine, and a load generator that is slower than the server.
func costs(all []loaded, busy []float64) []float64 {
	c := make([]float64, len(all))
	for i := range c {
		c[i] = 1e6 * busy[i] / all[i].perSecond
	}
	return c
}

// costRatios are the peer's costs over ours, by round: greater is better for us.
func (v verdicts) costRatios() []float64 {
	ours, peer := costs(v.ours, v.oursBusy), costs(v.peer, v.peerBy)
	r := make([]float64, len(ours))
	for i := range r {
		r[i] = peer[i] / ours[i]
	}
	return r
}

// side formats one side's medians.
func side(all []loaded) string {
	p50 := median(pick(all, func(l loaded) float64 { return l.p50.Seconds() * 1000 }))
	p99 := median(pick(all, func(l loaded) float64 { return l.p99.Seconds() * 1000 }))
	return fmt.Sprintf("%.0f/s, p50 %.1f ms, p99 %.1f ms", median(rates(all)), p50, p99)
}

// rounds lists the result of every round, which shows the noise.
func (v verdicts) rounds() string {
	var b strings.Builder
	for i, r := range v.ratios() {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%.0f against %.0f (%.2f ×)", v.ours[i].perSecond, v.peer[i].perSecond, r)
	}
	return b.String()
}
