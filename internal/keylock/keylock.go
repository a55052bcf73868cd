// Package keylock provides a lock for each key of an open set.
package keylock

import (
	"context"
	"sync"
)

// Locks holds a lock for each key that is held or waited for, and nothing for the others. The zero
// value is ready to use.
type Locks[K comparable] struct {
	mu   sync.Mutex
	held map[K]*lock
}

type lock struct {
	turn  chan struct{} // has a value while the lock is held
	users int           // who hold the lock or wait for it
}

// Lock waits for the key's lock and returns the function that releases it. Call that function once.
func (l *Locks[K]) Lock(key K) (unlock func()) {
	own := l.join(key)
	own.turn <- struct{}{}
	return func() { l.release(key, own) }
}

// LockContext is Lock for as long as ctx lasts. When ctx ends first, it returns the cause and no
// function.
func (l *Locks[K]) LockContext(ctx context.Context, key K) (unlock func(), err error) {
	own := l.join(key)
	select {
	case own.turn <- struct{}{}:
		return func() { l.release(key, own) }, nil
	case <-ctx.Done():
		l.leave(key, own)
		return nil, context.Cause(ctx)
	}
}

func (l *Locks[K]) release(key K, own *lock) {
	<-own.turn
	l.leave(key, own)
}

// join returns the key's lock, which exists until its last user leaves.
func (l *Locks[K]) join(key K) *lock {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		l.held = map[K]*lock{}
	}
	own := l.held[key]
	if own == nil {
		own = &lock{turn: make(chan struct{}, 1)}
		l.held[key] = own
	}
	own.users++
	return own
}

func (l *Locks[K]) leave(key K, own *lock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if own.users--; own.users == 0 {
		delete(l.held, key)
	}
}
