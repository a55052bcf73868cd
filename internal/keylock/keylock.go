// Package keylock provides a lock for each key of an open set.
package keylock

import "sync"

// Locks holds a lock for each key that is held or waited for, and nothing for the others. The zero
// value is ready to use.
type Locks[K comparable] struct {
	mu   sync.Mutex
	held map[K]*lock
}

type lock struct {
	sync.Mutex
	users int
}

// Lock waits for the key's lock and returns the function that releases it. Call that function once.
func (l *Locks[K]) Lock(key K) (unlock func()) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[K]*lock{}
	}
	own := l.held[key]
	if own == nil {
		own = &lock{}
		l.held[key] = own
	}
	own.users++
	l.mu.Unlock()

	own.Lock()
	return func() {
		own.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if own.users--; own.users == 0 {
			delete(l.held, key)
		}
	}
}
