package isr

import (
	"container/list"
	"time"
)

type dedupKey struct{ ns, id string }

type sighting struct {
	key   dedupKey
	until time.Time
}

// window remembers DedupIDs for a while. It holds at most max of them; beyond that it drops the
// oldest, which costs an unnecessary revalidation.
type window struct {
	keep, keepSettled time.Duration
	max               int
	byKey             map[dedupKey]*list.Element
	oldest            *list.List // of sighting, in the order they were added
}

func newWindow(keep, keepSettled time.Duration, max int) *window {
	return &window{keep: keep, keepSettled: min(keep, keepSettled), max: max, byKey: map[dedupKey]*list.Element{}, oldest: list.New()}
}

func (w *window) hasKey(key dedupKey, now time.Time) bool {
	e, ok := w.byKey[key]
	return ok && now.Before(e.Value.(sighting).until)
}

func (w *window) add(key dedupKey, now time.Time) {
	if key.id == "" {
		return
	}
	if e, ok := w.byKey[key]; ok {
		w.forgetKey(e)
	}
	for e := w.oldest.Front(); e != nil && (w.oldest.Len() >= w.max || !now.Before(e.Value.(sighting).until)); e = w.oldest.Front() {
		w.forgetKey(e)
	}
	w.byKey[key] = w.oldest.PushBack(sighting{key, now.Add(w.keep)})
}

// settleKey shortens the memory of a message that was done. The stale hits that the page had before it
// was refreshed are over after a few seconds. SQS would continue to drop for its five minutes.
// OpenNext's id is the same when a tag is revalidated twice and the content did not change in
// between (its lastModified is then the constant 1), so the second revalidation would be lost.
func (w *window) settleKey(key dedupKey, now time.Time) {
	e, ok := w.byKey[key]
	if !ok {
		return
	}
	if s := e.Value.(sighting); s.until.After(now.Add(w.keepSettled)) {
		e.Value = sighting{key, now.Add(w.keepSettled)}
	}
}

func (w *window) forgetKey(e *list.Element) {
	delete(w.byKey, e.Value.(sighting).key)
	w.oldest.Remove(e)
}
