package worker

import "time"

// A request more on an event loop that is busy all the time makes the others wait longer and none sooner.
// While a loop is busy, its process takes what it answers within answerWithin beside the requests that
// it had when it was calm, which may wait for something else: streams, long polls. Others queue, and what
// the queue would not pass on within queueWithin is refused at once.
const (
	answerWithin = time.Second
	queueWithin  = 5 * time.Second
	rateWeight   = 0.3 // of the latest report in the rate of answers
)

// congestion bounds the requests of one process. The zero value bounds nothing.
type congestion struct {
	calm     int     // requests in flight when the loop was last not busy
	answered int     // requests since the last report
	rate     float64 // answers per second while the loop is busy; 0 for not known
	bounded  bool
}

// note takes up a report about the time since the last one.
func (c *congestion) note(busy bool, inFlight int, since time.Duration) {
	answered := c.answered
	c.answered = 0
	if !busy {
		*c = congestion{calm: inFlight}
		return
	}
	if since <= 0 || since > loadLasts {
		return // the process was idle, or blocked
	}
	latest := float64(answered) / since.Seconds()
	if !c.bounded {
		c.rate = latest
	}
	c.rate += rateWeight * (latest - c.rate)
	c.bounded = true
}

// limitOf returns how many requests the process may have in flight.
func (p *Pool) limitOf(pr *process) int {
	c := &pr.congestion
	if !c.bounded {
		return p.spec.Limit
	}
	return min(p.spec.Limit, c.calm+max(p.spec.Concurrency, int(c.rate*answerWithin.Seconds())))
}

// queueLimit returns how many requests may wait. Callers hold mu.
func (p *Pool) queueLimit() int {
	var rate float64
	able := 0
	for _, pr := range p.procs {
		if !pr.isAble() {
			continue
		}
		if !pr.congestion.bounded {
			return p.spec.Queue
		}
		able++
		rate += pr.congestion.rate
	}
	if able == 0 || p.starting > 0 {
		return p.spec.Queue
	}
	return min(p.spec.Queue, max(able*p.spec.Concurrency, int(rate*queueWithin.Seconds())))
}
