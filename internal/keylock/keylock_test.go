package keylock

import (
	"context"
	"errors"
	"sync"
	"testing"
)

func TestLock_OneHolderPerKeyNothingKept(t *testing.T) {
	var l Locks[string]
	counts := map[string]*int{"a": new(int), "b": new(int)} // the race detector looks, too
	var all sync.WaitGroup
	for key, count := range counts {
		for range 50 {
			all.Go(func() {
				defer l.Lock(key)()
				before := *count
				*count = before + 1
			})
		}
	}
	all.Wait()
	if *counts["a"] != 50 || *counts["b"] != 50 || len(l.held) != 0 {
		t.Errorf("counted %d and %d, %d locks are left", *counts["a"], *counts["b"], len(l.held))
	}
}

func TestLock_KeysAreIndependent(t *testing.T) {
	var l Locks[int]
	defer l.Lock(1)()
	l.Lock(2)()
}

func TestLocks_LockContext_EndsWithItsContext(t *testing.T) {
	var l Locks[string]
	unlock := l.Lock("a")
	gone := errors.New("the client has gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	if got, err := l.LockContext(ctx, "a"); got != nil || !errors.Is(err, gone) {
		t.Errorf("LockContext of a lock that is held returns %v, want %v", err, gone)
	}
	unlock()
	unlock, err := l.LockContext(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	if len(l.held) != 0 {
		t.Errorf("%d locks are left", len(l.held))
	}
}
