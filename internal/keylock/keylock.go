// Package keylock is a lock for each key of a set that nobody lists beforehand.
package keylock

import "sync"

// Locks holds a lock for each key that somebody holds or waits for, and nothing for the
// others. The zero value is ready to use.
type Locks[K comparable] struct {
	mu   sync.Mutex
	held map[K]*lock
}

type lock struct {
	sync.Mutex
	users int
}

// Lock waits for the key's lock and gives what releases it, once.
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
