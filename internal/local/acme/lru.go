package acme

import (
	"container/list"
	"sync"
)

// lru keeps the most recently used values, up to a limit.
type lru[K comparable, V any] struct {
	mu    sync.Mutex
	limit int
	order *list.List // of lruItem[K, V], the most recently used first
	at    map[K]*list.Element
}

type lruItem[K comparable, V any] struct {
	key   K
	value V
}

func newLRU[K comparable, V any](limit int) *lru[K, V] {
	return &lru[K, V]{limit: limit, order: list.New(), at: map[K]*list.Element{}}
}

// get returns the value of key and marks it as used.
func (l *lru[K, V]) get(key K) (value V, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	el, ok := l.at[key]
	if !ok {
		return value, false
	}
	l.order.MoveToFront(el)
	item, _ := el.Value.(lruItem[K, V])
	return item.value, true
}

// put stores a value and marks it as used. It returns the key that was removed to stay within the
// limit, if any.
func (l *lru[K, V]) put(key K, value V) (removed K, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	item := lruItem[K, V]{key, value}
	if el, ok := l.at[key]; ok {
		el.Value = item
		l.order.MoveToFront(el)
		return removed, false
	}
	l.at[key] = l.order.PushFront(item)
	if l.order.Len() <= l.limit {
		return removed, false
	}
	last, _ := l.order.Remove(l.order.Back()).(lruItem[K, V])
	delete(l.at, last.key)
	return last.key, true
}

func (l *lru[K, V]) removeKey(key K) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if el, ok := l.at[key]; ok {
		l.order.Remove(el)
		delete(l.at, key)
	}
}
