package worker

import "time"

// A request more on an event loop that is busy all the time makes the others wait longer and none sooner. What tells
// is how late the loop runs its timers: requests that wait for something else, streams and long polls and slow APIs, do
// not delay it, however many there are.
//
// So a process may have the requests that it had when its loop was last calm, as long as each of them lasts, and a
// window of others. The window shrinks while a busy loop is late and grows while it is not. Others queue, and what the
// queue would not pass on within queueWithin is refused at once.
const (
	burst       = 64 // requests that a calm process takes between two of its reports: it cannot be known yet what they need
	targetDelay = 50 * time.Millisecond
	shrink      = 0.8 // of the window, by each report of a loop that is late
	grow        = 8   // by this part of it at each report of one that is not
	queueWithin = 2 * time.Second
	waitAtMost  = 2 * queueWithin
	knownAfter  = time.Second // for how long a loop has to be busy until its rate counts: code that has just been loaded is slow
	rateWeight  = 0.3         // of beatEvery in the rate of answers
)

// congestion bounds the requests of one process. The zero value is that of an idle process.
type congestion struct {
	carried  int           // requests in flight since the loop was last calm
	calm     int64         // the number of the latest request at that time
	window   int           // how many others the process may have; 0: burst
	busy     time.Duration // for which the loop has been busy
	answered int           // requests since the last report
	rate     float64       // answers per second while the loop is busy
}

// note takes up a report. latest is the number of the latest request that the process took.
func (c *congestion) note(r pace, inFlight int, latest int64, floor int) {
	answered := c.answered
	c.answered = 0
	taken := inFlight - c.carried
	if !r.isBusy() {
		window := burst
		if taken >= c.size() { // a crowd came at once, and the loop has time for more
			window = 2 * c.size()
		}
		*c = congestion{carried: inFlight, calm: latest, window: window}
		return
	}
	c.noteRate(float64(answered)/r.span.Seconds(), r.span)
	c.busy += r.span
	switch {
	case r.delay <= targetDelay:
		if taken >= c.size() {
			c.window = c.size() + max(1, c.size()/grow)
		}
	case taken <= c.size(): // else the last change has had no effect yet
		c.window = max(floor, int(shrink*float64(c.size())))
	}
}

// noteRate takes up how many answers a busy process returned per second.
func (c *congestion) noteRate(rate float64, span time.Duration) {
	switch {
	case span > loadLasts: // it was blocked
	case c.busy < knownAfter:
		c.rate = (c.rate*c.busy.Seconds() + rate*span.Seconds()) / (c.busy + span).Seconds()
	default:
		c.rate += min(1, rateWeight*span.Seconds()/beatEvery.Seconds()) * (rate - c.rate)
	}
}

// leave notes that the process has answered a request.
func (c *congestion) leave(number int64) {
	c.answered++
	if number <= c.calm {
		c.carried--
	}
}

func (c *congestion) size() int {
	if c.window == 0 {
		return burst
	}
	return c.window
}

// limitOf returns how many requests the process may have in flight.
func (p *Pool) limitOf(pr *process) int {
	return min(p.spec.Limit, pr.congestion.carried+max(p.spec.Concurrency, pr.congestion.size()))
}

// queueLimit returns how many requests may wait. Callers hold mu.
func (p *Pool) queueLimit() int {
	var rate float64
	able := 0
	for _, pr := range p.procs {
		if !pr.isAble() {
			continue
		}
		if pr.congestion.busy < knownAfter {
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

// trimQueue refuses those that wait in vain while all processes are busy: the latest, which came when it was not known
// yet how long the queue takes, and those that have waited for too long because it takes longer than it did.
// Suspects wait for something else. Callers hold mu.
func (p *Pool) trimQueue(now time.Time) {
	limit := p.queueLimit()
	if limit == p.spec.Queue || len(p.waiters) == 0 {
		return
	}
	var left []*waiter
	for i, w := range p.waiters {
		if i < limit && now.Sub(w.since) <= waitAtMost || w.suspect {
			left = append(left, w)
			continue
		}
		w.answer <- grant{err: p.errCrowded(limit)}
	}
	p.waiters = left
}
