package isr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// ErrQueueFull is returned by Send when too many messages wait, in a namespace or in all together.
var ErrQueueFull = errors.New("the revalidation queue is full")

// ErrQueueClosed is returned by Send after Close.
var ErrQueueClosed = errors.New("the revalidation queue is closed")

// Message asks for one page to be rendered again. Host is the host that the app saw: it is fit for
// a Host header, not for deciding where to connect to.
type Message struct {
	Host, URL string
	GroupID   string // messages of one group run one at a time
	DedupID   string // empty: never a duplicate
}

// Revalidate renders the page of a message again. After an error the queue tries again later.
type Revalidate func(ctx context.Context, ns string, m Message) error

// QueueOptions bound a Queue. Zero fields get the defaults of NewQueue.
type QueueOptions struct {
	Running      int           // messages worked on at a time (4)
	RunningPerNS int           // of these for one namespace (2)
	Waiting      int           // messages waiting, with those that wait for a retry (10000)
	WaitingPerNS int           // of these for one namespace (1000)
	Attempts     int           // tries per message (4)
	Backoff      time.Duration // before the second try, doubled for each further one (2 s)
	MaxBackoff   time.Duration // (1 min)
	Timeout      time.Duration // of one try (1 min)
	Dedup        time.Duration // how long a DedupID is remembered; SQS FIFO has 5 minutes, and so has zero
	Settle       time.Duration // how long after success (10 s), see window.settle
}

// Queue is the revalidation queue of all namespaces.
//
// Order: the messages of one group start in the order they came, one at a time. One that fails
// leaves the line while it waits for its retry and joins at the end, so that a page that answers
// 404 or 500 does not block others. Namespaces take turns. A message is dropped, as done, if its
// DedupID was seen lately or its page is waiting already.
//
// Messages live in memory only. One that a restart loses was sent because a stale page was served;
// the next visitor of that page sends it again.
type Queue struct {
	work Revalidate
	opt  QueueOptions

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	seen    *window
	lanes   lanes
	running int
	waiting int
	closed  bool
}

// NewQueue returns a queue that passes messages to work. End it with Close.
func NewQueue(work Revalidate, opt QueueOptions) *Queue {
	opt = opt.withDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	return &Queue{work: work, opt: opt, ctx: ctx, cancel: cancel,
		seen: newWindow(opt.Dedup, opt.Settle, 4*opt.Waiting), lanes: lanes{byNS: map[string]*lane{}}}
}

func (o QueueOptions) withDefaults() QueueOptions {
	o.Running = orDefault(o.Running, 4)
	o.RunningPerNS = orDefault(o.RunningPerNS, 2)
	o.Waiting = orDefault(o.Waiting, 10_000)
	o.WaitingPerNS = orDefault(o.WaitingPerNS, 1_000)
	o.Attempts = orDefault(o.Attempts, 4)
	o.Backoff = orDefault(o.Backoff, 2*time.Second)
	o.MaxBackoff = orDefault(o.MaxBackoff, time.Minute)
	o.Timeout = orDefault(o.Timeout, time.Minute)
	o.Dedup = orDefault(o.Dedup, 5*time.Minute)
	o.Settle = orDefault(o.Settle, 10*time.Second)
	return o
}

func orDefault[T int | time.Duration](v, def T) T {
	if v > 0 {
		return v
	}
	return def
}

// Send queues a message, or drops it as a duplicate: it returns nil for both, as SQS does. It never
// waits.
func (q *Queue) Send(ns string, m Message) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrQueueClosed
	}
	now, id := time.Now(), dedupKey{ns, m.DedupID}
	if q.seen.hasKey(id, now) {
		return nil
	}
	l := q.lanes.laneOf(ns)
	if l.pages[m.pageOf()] {
		return nil
	}
	if q.waiting >= q.opt.Waiting || l.countWaiting() >= q.opt.WaitingPerNS {
		q.lanes.removeIfEmpty(l)
		return fmt.Errorf("%s%s: %w: %d of this deployment and %d in all wait", m.Host, m.URL, ErrQueueFull, l.countWaiting(), q.waiting)
	}
	q.seen.add(id, now)
	q.enqueueJob(l, &job{Message: m, ns: ns})
	q.dispatchJobs()
	return nil
}

// Drop removes all waiting messages of a namespace.
func (q *Queue) Drop(ns string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if l, ok := q.lanes.byNS[ns]; ok {
		q.waiting -= l.countWaiting()
		q.lanes.removeLane(l)
	}
}

// Close drops what is waiting, cancels what is running, and returns when that has ended or ctx has.
func (q *Queue) Close(ctx context.Context) error {
	q.mu.Lock()
	q.closed = true
	q.lanes = lanes{byNS: map[string]*lane{}}
	q.waiting = 0
	q.mu.Unlock()
	q.cancel()
	done := make(chan struct{})
	go func() { q.wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close the revalidation queue: %w", ctx.Err())
	}
}

func (q *Queue) enqueueJob(l *lane, j *job) {
	l.push(j)
	q.waiting++
}

// dispatchJobs starts the jobs that may run. It is called with the lock held, whenever a job arrived or
// ended.
func (q *Queue) dispatchJobs() {
	for q.running < q.opt.Running {
		j := q.lanes.next(q.opt.RunningPerNS)
		if j == nil {
			return
		}
		q.waiting--
		q.running++
		q.wg.Go(func() { q.run(j) })
	}
}

func (q *Queue) run(j *job) {
	ctx, cancel := context.WithTimeout(q.ctx, q.opt.Timeout)
	err := q.work(ctx, j.ns, j.Message)
	cancel()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running--
	j.lane.jobDone(j)
	if !q.closed && q.lanes.byNS[j.ns] == j.lane {
		q.settleJob(j, err)
		q.lanes.removeIfEmpty(j.lane)
	}
	q.dispatchJobs()
}

func (q *Queue) settleJob(j *job, err error) {
	if err == nil {
		q.seen.settleKey(dedupKey{j.ns, j.DedupID}, time.Now())
		return
	}
	j.attempts++
	if j.attempts >= q.opt.Attempts {
		slog.Warn("gave up revalidating a page; the next stale hit asks again when its deduplication ends",
			"deploymentId", j.ns, "host", j.Host, "url", j.URL, "attempts", j.attempts, "error", err)
		return
	}
	if j.lane.pages[j.pageOf()] {
		return // a newer message for the page waits already
	}
	j.lane.parkJob(j)
	q.waiting++
	time.AfterFunc(q.backoffAfter(j.attempts), func() { q.retryJob(j) })
}

func (q *Queue) backoffAfter(attempts int) time.Duration {
	d := q.opt.Backoff
	for i := 1; i < attempts && d < q.opt.MaxBackoff; i++ {
		d *= 2
	}
	return min(d, q.opt.MaxBackoff)
}

func (q *Queue) retryJob(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.lanes.byNS[j.ns] != j.lane {
		return // closed or dropped while it waited
	}
	j.lane.push(j)
	q.dispatchJobs()
}
