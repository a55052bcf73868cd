package main

import (
	"context"
	"fmt"
	"time"
)

// pageCost is the processor time of one page, by process. Other work on the machine hardly
// affects it.
type pageCost struct{ edge, workers, peer time.Duration }

func (c pageCost) String() string {
	return fmt.Sprintf("Processor time of one page, in a further round of each: Anchor %s (its own process %s, its workers %s), the peer %s.",
		ms(inMS(c.edge+c.workers)), ms(inMS(c.edge)), ms(inMS(c.workers)), ms(inMS(c.peer)))
}

func costOf(ctx context.Context, s *server, next *process, ours, peer load) (c pageCost, err error) {
	edge, workers, err := s.spent()
	if err != nil {
		return c, err
	}
	pages, err := pagesOf(ctx, ours)
	if err != nil {
		return c, err
	}
	edgeAfter, workersAfter, err := s.spent()
	if err != nil {
		return c, err
	}
	c.edge, c.workers = (edgeAfter-edge)/pages, (workersAfter-workers)/pages

	before, err := next.cpuTime()
	if err != nil {
		return c, err
	}
	if pages, err = pagesOf(ctx, peer); err != nil {
		return c, err
	}
	after, err := next.cpuTime()
	c.peer = (after - before) / pages
	return c, err
}

// spent returns the processor time of Anchor's own process and of its workers so far.
func (s *server) spent() (edge, workers time.Duration, err error) {
	if edge, err = s.cpuTime(); err != nil {
		return 0, 0, err
	}
	workers, err = s.childrenTime()
	return edge, workers, err
}

// pagesOf runs one load and returns the number of answers, as a divisor.
func pagesOf(ctx context.Context, l load) (time.Duration, error) {
	got, err := wrk(ctx, l)
	return time.Duration(max(1, got.perSecond*got.length.Seconds())), err
}
