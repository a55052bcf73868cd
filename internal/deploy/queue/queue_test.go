package queue_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/deploy/queue"
	"github.com/anchor-deploy/anchor/internal/testleak"
)

func TestMain(m *testing.M) { testleak.Main(m) }

const shop = anchor.ProjectID("shop")

func newQueue(t *testing.T, width int) *queue.Queue {
	q := queue.New(width)
	t.Cleanup(q.Close)
	return q
}

// start starts a deployment of the project whose pass is run.
func start(t *testing.T, q *queue.Queue, d anchor.Deployment, run func(context.Context)) {
	t.Helper()
	if err := q.Start(t.Context(), d, run); err != nil {
		t.Fatal(err)
	}
}

// holdPass starts a pass that has begun when it returns, and ends with its context or letGo.
func holdPass(t *testing.T, q *queue.Queue, d anchor.Deployment) (passing context.Context, letGo func()) {
	t.Helper()
	begun, end := make(chan context.Context), make(chan struct{})
	start(t, q, d, func(ctx context.Context) {
		begun <- ctx
		select {
		case <-end:
		case <-ctx.Done():
		}
	})
	return <-begun, func() { close(end) }
}

// TestQueue_Start_KeepsTheOrderOfTheRecords queues deployments behind one that is held up, the last
// one first. Their ids go back in time, as those of a clock that was set back do.
func TestQueue_Start_KeepsTheOrderOfTheRecords(t *testing.T) {
	q := newQueue(t, 1)
	_, letGo := holdPass(t, q, anchor.Deployment{ID: "held", ProjectID: shop})
	ids := make([]anchor.DeploymentID, 4)
	for i := range ids {
		ids[len(ids)-1-i] = anchor.DeploymentID(anchor.NewID())
	}
	var processed []anchor.DeploymentID // by one pass at a time
	var all sync.WaitGroup
	all.Add(len(ids))
	for i, id := range slices.Backward(ids) {
		d := anchor.Deployment{ID: id, ProjectID: shop, Order: int64(i + 1)}
		start(t, q, d, func(context.Context) { processed = append(processed, id); all.Done() })
	}
	letGo()
	all.Wait()
	if !slices.Equal(processed, ids) {
		t.Errorf("processed in the order %v, want %v", processed, ids)
	}
}

func TestQueue_Start_RunsWhatWaitsOrRunsOnce(t *testing.T) {
	q := newQueue(t, 1)
	running := anchor.Deployment{ID: "running", ProjectID: shop, Order: 1}
	waiting := anchor.Deployment{ID: "waiting", ProjectID: shop, Order: 2}
	_, letGo := holdPass(t, q, running)
	passes := make(chan anchor.DeploymentID, 8)
	for range 2 {
		start(t, q, running, func(context.Context) { passes <- running.ID })
		start(t, q, waiting, func(context.Context) { passes <- waiting.ID })
		if err := q.Resume(t.Context(), waiting, func(context.Context) { passes <- waiting.ID }); err != nil {
			t.Error(err)
		}
	}
	last := make(chan struct{})
	start(t, q, anchor.Deployment{ID: "last", ProjectID: shop, Order: 3}, func(context.Context) { close(last) })
	letGo()
	<-last
	if close(passes); len(passes) != 1 || <-passes != waiting.ID {
		t.Error("a deployment that was started again had another pass")
	}
}

func TestQueue_Start_RunsProjectsSideBySide(t *testing.T) {
	q := newQueue(t, 2)
	_, letGo := holdPass(t, q, anchor.Deployment{ID: "a", ProjectID: shop})
	_, letGoOther := holdPass(t, q, anchor.Deployment{ID: "b", ProjectID: "other"}) // begins while a runs
	third := make(chan struct{})
	start(t, q, anchor.Deployment{ID: "c", ProjectID: "third"}, func(context.Context) { close(third) })
	select {
	case <-third:
		t.Error("three passes run in two places")
	default:
	}
	letGo()
	<-third
	letGoOther()
}

func TestQueue_Cancel(t *testing.T) {
	q := newQueue(t, 1)
	cause := errors.New("canceled")
	passing, _ := holdPass(t, q, anchor.Deployment{ID: "a", ProjectID: shop})
	if q.Cancel("b", cause) {
		t.Error("canceled a pass that does not run")
	}
	if !q.Cancel("a", cause) {
		t.Error("a pass that runs was not canceled")
	}
	<-passing.Done()
	if got := context.Cause(passing); !errors.Is(got, cause) {
		t.Errorf("the cause is %v", got)
	}
}

func TestQueue_Exclusive_MeetsNoPass(t *testing.T) {
	q := newQueue(t, 2)
	_, letGo := holdPass(t, q, anchor.Deployment{ID: "a", ProjectID: shop})
	var mu sync.Mutex
	var events []string
	record := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, what)
	}
	begun, end, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		ended <- q.Exclusive(t.Context(), shop, deploy.Passes, func(context.Context) error {
			close(begun)
			<-end
			record("work")
			return nil
		})
	}()
	// Another project and another purpose do not wait for the pass.
	for p, purpose := range map[anchor.ProjectID]deploy.Purpose{"other": deploy.Passes, shop: deploy.BuildStarts} {
		if err := q.Exclusive(t.Context(), p, purpose, func(context.Context) error { return nil }); err != nil {
			t.Errorf("%s of %s: %v", purpose, p, err)
		}
	}
	select {
	case <-begun:
		t.Error("the work began while a pass ran")
	default:
	}
	letGo()
	<-begun
	passed := make(chan struct{})
	start(t, q, anchor.Deployment{ID: "b", ProjectID: shop}, func(context.Context) { record("pass"); close(passed) })
	close(end)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	<-passed
	if want := []string{"work", "pass"}; !slices.Equal(events, want) {
		t.Errorf("the order is %v, want %v", events, want)
	}
}

func TestQueue_Exclusive_EndsWithItsContext(t *testing.T) {
	q := newQueue(t, 1)
	_, letGo := holdPass(t, q, anchor.Deployment{ID: "a", ProjectID: shop})
	defer letGo()
	gone := errors.New("the client has gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	err := q.Exclusive(ctx, shop, deploy.Passes, func(context.Context) error { t.Error("the work began"); return nil })
	if !errors.Is(err, gone) {
		t.Errorf("Exclusive returns %v, want %v", err, gone)
	}
}

func TestQueue_Exclusive_ReturnsTheErrorOfTheWork(t *testing.T) {
	failed := errors.New("failed")
	err := newQueue(t, 1).Exclusive(t.Context(), shop, deploy.Passes, func(context.Context) error { return failed })
	if !errors.Is(err, failed) {
		t.Errorf("Exclusive returns %v, want %v", err, failed)
	}
}

func TestQueue_Close_InterruptsPassesAndStartsNone(t *testing.T) {
	q := queue.New(1)
	passing, _ := holdPass(t, q, anchor.Deployment{ID: "a", ProjectID: shop, Order: 1})
	never := func(context.Context) { t.Error("a pass began in a queue that was closed") }
	start(t, q, anchor.Deployment{ID: "b", ProjectID: shop, Order: 2}, never)
	q.Close()
	if passing.Err() == nil {
		t.Error("the pass was not interrupted")
	}
	start(t, q, anchor.Deployment{ID: "c", ProjectID: "other"}, never)
	q.Close()
}
