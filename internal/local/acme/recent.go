package acme

import (
	"container/list"
	"sync"
)

// recent remembers which of many were used last.
type recent struct {
	mu    sync.Mutex
	limit int
	order *list.List // of string, the hottest first
	at    map[string]*list.Element
}

func newRecent(limit int) *recent {
	return &recent{limit: limit, order: list.New(), at: map[string]*list.Element{}}
}

// touch makes key the hottest and gives the coldest one beyond the limit, which it forgets; else "".
func (r *recent) touch(key string) (cold string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if el, ok := r.at[key]; ok {
		r.order.MoveToFront(el)
		return ""
	}
	r.at[key] = r.order.PushFront(key)
	if r.order.Len() <= r.limit {
		return ""
	}
	last := r.order.Back()
	cold, _ = r.order.Remove(last).(string)
	delete(r.at, cold)
	return cold
}

func (r *recent) remove(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if el, ok := r.at[key]; ok {
		r.order.Remove(el)
		delete(r.at, key)
	}
}
