package isr_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/local/isr"
)

// pages is the work of a queue in a test: it records the calls, in the fake time of a synctest
// bubble.
type pages struct {
	mu      sync.Mutex
	done    []string
	running map[string]int
	peak    map[string]int // by namespace and by group
	fail    map[string]bool
	takes   time.Duration
}

func (p *pages) revalidate(ctx context.Context, ns string, m isr.Message) error {
	names := []string{ns, ns + "/" + m.GroupID, "all"}
	p.mu.Lock()
	p.done = append(p.done, ns+m.URL)
	for _, name := range names {
		p.running[name]++
		p.peak[name] = max(p.peak[name], p.running[name])
	}
	fails, takes := p.fail[m.URL], p.takes
	p.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range names {
		p.running[name]--
	}
	if fails {
		return errors.New("the page answers 500")
	}
	return ctx.Err()
}

// order returns the calls so far, first to last.
func (p *pages) order() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.done)
}

func (p *pages) count(page string) int {
	return len(slices.DeleteFunc(p.order(), func(done string) bool { return done != page }))
}

func (p *pages) most(name string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.peak[name]
}

func (p *pages) failing(url string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail[url] = true
}

func (p *pages) taking(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.takes = d
}

// withQueue runs test in a bubble where time passes only when everything waits.
func withQueue(t *testing.T, opt isr.QueueOptions, test func(t *testing.T, q *isr.Queue, p *pages)) {
	synctest.Test(t, func(t *testing.T) {
		p := &pages{running: map[string]int{}, peak: map[string]int{}, fail: map[string]bool{}, takes: time.Second}
		q := isr.NewQueue(p.revalidate, opt)
		test(t, q, p)
		if err := q.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func message(url, group, dedup string) isr.Message {
	return isr.Message{Host: "h", URL: url, GroupID: group, DedupID: dedup}
}

func send(t *testing.T, q *isr.Queue, ns string, m isr.Message) {
	t.Helper()
	if err := q.Send(ns, m); err != nil {
		t.Error(err)
	}
}

func TestQueue_BurstIsOneRevalidation(t *testing.T) {
	withQueue(t, isr.QueueOptions{}, func(t *testing.T, q *isr.Queue, p *pages) {
		for n := range 100 {
			send(t, q, "one", message("/a", "g", "same"))
			send(t, q, "two", message("/a", "g", "same")) // another namespace's ids are its own
			send(t, q, "one", message("/b", "g", fmt.Sprint("id", n)))
		}
		time.Sleep(time.Minute)
		if p.count("one/a") != 1 || p.count("two/a") != 1 {
			t.Errorf("done: %v", p.order())
		}
		if n := p.count("one/b"); n != 1 { // waits behind /a, so all its ids are of one waiting page
			t.Errorf("/b was done %d times", n)
		}
	})
}

func TestQueue_AcceptsIDAgainAfterSuccess(t *testing.T) {
	withQueue(t, isr.QueueOptions{}, func(t *testing.T, q *isr.Queue, p *pages) {
		send(t, q, "one", message("/a", "g", "same"))
		time.Sleep(5 * time.Second)
		send(t, q, "one", message("/a", "g", "same")) // a straggler
		time.Sleep(10 * time.Second)
		if n := p.count("one/a"); n != 1 {
			t.Errorf("done %d times", n)
		}
		send(t, q, "one", message("/a", "g", "same"))
		time.Sleep(10 * time.Second)
		if n := p.count("one/a"); n != 2 {
			t.Errorf("done %d times", n)
		}
	})
}

func TestQueue_FailingPageIsRetriedThenDropped(t *testing.T) {
	withQueue(t, isr.QueueOptions{Attempts: 3}, func(t *testing.T, q *isr.Queue, p *pages) {
		p.failing("/bad")
		send(t, q, "one", message("/bad", "g", "same"))
		time.Sleep(4 * time.Minute)
		send(t, q, "one", message("/bad", "g", "same"))
		if n := p.count("one/bad"); n != 3 {
			t.Errorf("%d attempts", n)
		}
		time.Sleep(time.Minute)
		send(t, q, "one", message("/bad", "g", "same"))
		time.Sleep(time.Minute)
		if n := p.count("one/bad"); n != 6 {
			t.Errorf("%d attempts", n)
		}
	})
}

func TestQueue_FailingPageDelaysNoOther(t *testing.T) {
	withQueue(t, isr.QueueOptions{Running: 1}, func(t *testing.T, q *isr.Queue, p *pages) {
		p.failing("/bad")
		for _, url := range []string{"/bad", "/a", "/b"} {
			send(t, q, "one", message(url, "g", url))
		}
		time.Sleep(2500 * time.Millisecond)
		if diff := cmp.Diff([]string{"one/bad", "one/a", "one/b"}, p.order()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestQueue_GroupRunsInOrder(t *testing.T) {
	withQueue(t, isr.QueueOptions{Running: 8, RunningPerNS: 8}, func(t *testing.T, q *isr.Queue, p *pages) {
		var want []string
		for n := range 20 {
			url := fmt.Sprintf("/%02d", n)
			want = append(want, "one"+url)
			send(t, q, "one", message(url, "g", url))
		}
		send(t, q, "one", message("/other", "other", "other"))
		time.Sleep(time.Minute)
		if p.most("one/g") != 1 || p.most("one") != 2 {
			t.Errorf("at a time: %d of the group, %d of the namespace", p.most("one/g"), p.most("one"))
		}
		if diff := cmp.Diff(want, slices.DeleteFunc(p.order(), func(s string) bool { return s == "one/other" })); diff != "" {
			t.Error(diff)
		}
	})
}

func TestQueue_SharesTurnsAmongNamespaces(t *testing.T) {
	withQueue(t, isr.QueueOptions{Running: 3, RunningPerNS: 2}, func(t *testing.T, q *isr.Queue, p *pages) {
		for n := range 500 {
			send(t, q, "busy", message(fmt.Sprint("/", n), fmt.Sprint(n%10), fmt.Sprint(n)))
		}
		send(t, q, "quiet", message("/x", "g", "x"))
		time.Sleep(1500 * time.Millisecond)
		if p.count("quiet/x") != 1 || p.most("busy") != 2 || p.most("all") != 3 {
			t.Errorf("quiet done %d times; at a time %d busy, %d in all", p.count("quiet/x"), p.most("busy"), p.most("all"))
		}
	})
}

func TestQueue_IsBounded(t *testing.T) {
	opt := isr.QueueOptions{Running: 1, Waiting: 5, WaitingPerNS: 3}
	withQueue(t, opt, func(t *testing.T, q *isr.Queue, p *pages) {
		full := map[string]int{}
		for _, ns := range []string{"one", "two", "three"} {
			for n := range 6 {
				if err := q.Send(ns, message(fmt.Sprint("/", n), "g", fmt.Sprint(n))); errors.Is(err, isr.ErrQueueFull) {
					full[ns]++
				} else if err != nil {
					t.Error(err)
				}
			}
		}
		// one: 1 runs and 3 wait; two: 2 wait, 5 in all; three: nothing fits.
		if diff := cmp.Diff(map[string]int{"one": 2, "two": 4, "three": 6}, full); diff != "" {
			t.Error(diff)
		}
		time.Sleep(time.Minute)
		send(t, q, "three", message("/0", "g", "0")) // what was refused is not taken for a duplicate
		time.Sleep(time.Minute)
		if p.count("three/0") != 1 || len(p.order()) != 7 {
			t.Errorf("done: %v", p.order())
		}
	})
}

func TestQueue_DropRemovesWaiting(t *testing.T) {
	withQueue(t, isr.QueueOptions{Running: 1, WaitingPerNS: 3}, func(t *testing.T, q *isr.Queue, p *pages) {
		p.failing("/bad")
		send(t, q, "one", message("/bad", "g", "bad"))
		time.Sleep(1500 * time.Millisecond) // it failed and waits for its retry
		send(t, q, "one", message("/a", "g", "a"))
		send(t, q, "one", message("/b", "g", "b"))
		q.Drop("one")
		for _, url := range []string{"/c", "/d", "/e"} {
			send(t, q, "one", message(url, "g", url))
		}
		time.Sleep(time.Minute)
		if diff := cmp.Diff([]string{"one/bad", "one/a", "one/c", "one/d", "one/e"}, p.order()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestQueue_CloseCancelsRunning(t *testing.T) {
	withQueue(t, isr.QueueOptions{}, func(t *testing.T, q *isr.Queue, p *pages) {
		p.taking(time.Hour)
		send(t, q, "one", message("/a", "g", "a"))
		send(t, q, "one", message("/b", "g", "b"))
		synctest.Wait()
		if err := q.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if err := q.Send("one", message("/c", "g", "c")); !errors.Is(err, isr.ErrQueueClosed) {
			t.Errorf("Send after Close: %v", err)
		}
		if diff := cmp.Diff([]string{"one/a"}, p.order()); diff != "" {
			t.Error(diff)
		}
	})
}
