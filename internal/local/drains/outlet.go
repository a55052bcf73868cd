package drains

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/retry"
)

const (
	// maxBatch is how many bytes of lines one message has.
	maxBatch = 512 << 10
	// overhead is what a line that waits takes besides its text.
	overhead = 64
	// lastTry is how long what waits is sent when the server stops.
	lastTry = 2 * time.Second
)

// line is a copy of a line that waits.
type line struct {
	source  string           // app or access
	project anchor.ProjectID // of a line of an app; one of the access log names its project
	text    []byte           // JSON
}

func (l line) size() int { return len(l.text) + overhead }

// sender sends to one target, for one goroutine. It marks errors after which another attempt may succeed for retry.Do.
type sender interface {
	send(ctx context.Context, events []event) error
	close()
}

// partial is a message of which the target took only a part.
type partial struct {
	refused int64
	reason  string
}

func (p *partial) Error() string {
	return fmt.Sprintf("%d lines were refused: %s", p.refused, p.reason)
}

// outlet is a drain that works.
type outlet struct {
	service *Service
	drain   anchor.Drain
	slug    string // of the project whose lines it gets; "" for all
	sender  sender
	slugs   map[anchor.ProjectID]string // of run

	wake, full chan struct{} // hold a value when there are lines, and enough for a message
	end        context.CancelFunc
	done       chan struct{}

	mu     sync.Mutex
	lines  []line
	bytes  int // of lines, and of those being sent
	lost   int64
	status anchor.DrainState
}

func (s *Service) newOutlet(d anchor.Drain, slug string, to sender) *outlet {
	return &outlet{
		service: s, drain: d, slug: slug, sender: to, slugs: map[anchor.ProjectID]string{},
		wake: make(chan struct{}, 1), full: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

func (o *outlet) start(ctx context.Context) {
	ctx, end := context.WithCancel(ctx)
	o.end = end
	go o.run(ctx)
}

// put adds a line, or counts it as lost.
func (o *outlet) put(l line) {
	o.mu.Lock()
	before := o.bytes
	fits := before+l.size() <= o.service.Buffer
	if fits {
		o.lines = append(o.lines, l)
		o.bytes += l.size()
	} else {
		o.lost++
		o.status.Dropped++
	}
	enough := o.bytes >= maxBatch
	o.mu.Unlock()
	if fits {
		notify(o.wake)
	}
	if enough {
		notify(o.full)
	}
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run sends what waits until ctx ends.
func (o *outlet) run(ctx context.Context) {
	defer close(o.done)
	defer o.sender.close()
	for {
		select {
		case <-o.wake:
		case <-ctx.Done():
			o.leave()
			return
		}
		gather := time.NewTimer(o.service.Gather)
		select {
		case <-gather.C:
		case <-o.full:
		case <-ctx.Done():
		}
		gather.Stop()
		for ctx.Err() == nil && o.sendNext(ctx, o.service.Retries) {
		}
	}
}

// leave makes the last attempt when the server stops. What waits for a drain that was removed is lost.
func (o *outlet) leave() {
	if o.service.ctx.Err() == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastTry)
	defer cancel()
	for ctx.Err() == nil && o.sendNext(ctx, retry.Policy{Calls: 1}) {
	}
}

// sendNext sends the next message, and returns false when nothing waits. What ctx interrupts waits again.
func (o *outlet) sendNext(ctx context.Context, policy retry.Policy) bool {
	batch, lost := o.take()
	if len(batch) == 0 {
		return false
	}
	events := o.eventsOf(ctx, batch, lost)
	err := retry.Do(ctx, policy, func() error {
		err := o.sender.send(ctx, events)
		o.note(ctx, err)
		return err
	})
	if ctx.Err() != nil && err != nil {
		o.putBack(batch)
		return false
	}
	o.finish(batch, err)
	return true
}

// take returns the lines of the next message, and how many were lost before them.
func (o *outlet) take() (batch []line, lost int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	size, n := 0, 0
	for n < len(o.lines) && (n == 0 || size+o.lines[n].size() <= maxBatch) {
		size += o.lines[n].size()
		n++
	}
	batch, lost = slices.Clone(o.lines[:n]), o.lost
	if o.lines = slices.Delete(o.lines, 0, n); len(o.lines) == 0 {
		o.lines = nil // a burst leaves no memory behind
	}
	if n > 0 {
		o.lost = 0
	}
	return batch, lost
}

func (o *outlet) putBack(batch []line) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = slices.Concat(batch, o.lines)
}

// note records how an attempt ended, and reports to the log when a target begins to fail and when it works again.
func (o *outlet) note(ctx context.Context, err error) {
	if err != nil && ctx.Err() != nil {
		return
	}
	o.mu.Lock()
	before := o.status.LastError
	o.status.LastAt, o.status.LastError = time.Now().UnixMilli(), ""
	if err != nil {
		o.status.LastError = err.Error()
	}
	o.mu.Unlock()
	switch {
	case err != nil && before == "":
		o.service.Log.Warn("a drain does not take log lines", "drain", o.drain.ID, "target", o.drain.Target, "error", err)
	case err == nil && before != "":
		o.service.Log.Info("a drain takes log lines again", "drain", o.drain.ID, "target", o.drain.Target)
	}
}

// finish counts the lines of a message that was sent or refused.
func (o *outlet) finish(batch []line, err error) {
	refused := int64(0)
	if part := (*partial)(nil); errors.As(err, &part) {
		refused = min(part.refused, int64(len(batch)))
	} else if err != nil {
		refused = int64(len(batch))
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range batch {
		o.bytes -= l.size()
	}
	o.status.Sent += int64(len(batch)) - refused
	o.status.Dropped += refused
}

func (o *outlet) state() anchor.DrainState {
	o.mu.Lock()
	defer o.mu.Unlock()
	st := o.status
	st.WaitingBytes = int64(o.bytes)
	return st
}
