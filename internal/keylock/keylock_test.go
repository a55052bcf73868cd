package keylock

import (
	"sync"
	"testing"
)

func TestOneHolderAKeyAndNothingKept(t *testing.T) {
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

func TestOneKeyDoesNotWaitForAnother(t *testing.T) {
	var l Locks[int]
	defer l.Lock(1)()
	l.Lock(2)()
}
