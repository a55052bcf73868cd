package cache

import (
	"strings"
	"sync"
	"sync/atomic"
)

// Namespace holds the responses of one deployment. Responses of two namespaces never meet, so a
// switch between deployments needs no purge, and a rollback finds its cache as it left it.
//
// Invalidations are numbered. An entry has the number of the last invalidation before its request
// was sent to the function, and is valid if none that concerns it has a higher number.
type Namespace struct {
	store    *Store
	counters Counters

	sequence atomic.Uint64
	floor    atomic.Uint64 // of the last invalidation of everything
	storing  atomic.Uint64 // of the last one after which responses under way are not stored

	mu        sync.RWMutex
	resources map[Resource]uint64 // of the last invalidation of one resource
	marked    atomic.Bool         // resources is not empty
}

// mostMarks bounds the memory of invalidated resources; beyond it everything is invalidated.
const mostMarks = 4096

// Namespace returns a new, empty namespace.
func (s *Store) Namespace() *Namespace {
	return &Namespace{store: s, resources: map[Resource]uint64{}}
}

// Store returns the store of the namespace.
func (n *Namespace) Store() *Store { return n.store }

// Counters returns the counters of the namespace.
func (n *Namespace) Counters() *Counters { return &n.counters }

// Sequence is the number of the last invalidation. Read it before the function is called.
func (n *Namespace) Sequence() uint64 { return n.sequence.Load() }

// valid reports whether no invalidation concerns the entry.
func (n *Namespace) valid(e *Entry) bool {
	if e.sequence < n.floor.Load() {
		return false
	}
	if !n.marked.Load() {
		return true
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	return e.sequence >= n.resources[e.resource]
}

func (n *Namespace) mayStore(e *Entry) bool {
	return e.sequence >= n.storing.Load() && n.valid(e)
}

// Invalidate makes all responses of the namespace invalid, those under way included. A response to
// a request that arrives after it has returned was made after it.
func (n *Namespace) Invalidate() {
	n.counters.Invalidations.Add(1)
	n.invalidateAll()
}

func (n *Namespace) invalidateAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	raise(&n.floor, n.sequence.Add(1))
	clear(n.resources)
	n.marked.Store(false)
}

// InvalidateResource makes all responses of one resource invalid, those under way included.
func (n *Namespace) InvalidateResource(r Resource) {
	n.counters.Invalidations.Add(1)
	n.mu.Lock()
	full := len(n.resources) >= mostMarks
	if !full {
		n.resources[r] = n.sequence.Add(1)
		n.marked.Store(true)
	}
	n.mu.Unlock()
	if full {
		n.invalidateAll()
	}
}

func raise(v *atomic.Uint64, to uint64) {
	for old := v.Load(); old < to; old = v.Load() {
		if v.CompareAndSwap(old, to) {
			return
		}
	}
}

// Selection says which responses to purge: those that all its fields describe. The zero Selection
// is all of them.
type Selection struct {
	Host   string // "" for any
	Path   string // path, for any query; path and query if it contains "?"; "" for any
	Prefix string // of the path; "" for any
	Tag    string // "" for any
}

// Purge removes responses of the namespace and returns how many there were. Responses under way are
// not stored.
func (n *Namespace) Purge(sel Selection) (purged int) {
	n.counters.Invalidations.Add(1)
	for k, v := range n.store.variants.All() {
		if k.namespace != n {
			continue
		}
		for _, e := range v.entries {
			if n.valid(e) && sel.includes(e) {
				purged++
			}
		}
	}
	if sel == (Selection{}) {
		n.invalidateAll()
		n.drop(func(*Entry) bool { return true })
		return purged
	}
	raise(&n.storing, n.sequence.Add(1))
	n.drop(sel.includes)
	return purged
}

// Drop removes all responses of a namespace that is not used any more.
func (n *Namespace) Drop() {
	n.invalidateAll()
	n.drop(func(*Entry) bool { return true })
}

// drop removes the entries that are included, and those that are invalid.
func (n *Namespace) drop(included func(*Entry) bool) {
	for k := range n.store.variants.All() {
		if k.namespace == n {
			n.dropKey(k.key, included)
		}
	}
}

func (n *Namespace) dropKey(key Key, included func(*Entry) bool) {
	r := Request{Namespace: n, Key: key}
	r.update(func(old *variants) *variants {
		kept := &variants{}
		for _, e := range old.entries {
			if n.valid(e) && !included(e) {
				kept.entries = append(kept.entries, e)
			}
		}
		if len(kept.entries) == 0 {
			return nil
		}
		return kept
	})
}

func (s Selection) includes(e *Entry) bool {
	if s.Host != "" && !strings.EqualFold(s.Host, hostname(e.resource.Host)) {
		return false
	}
	path, _, _ := strings.Cut(e.resource.Target, "?")
	if s.Path != "" && s.Path != path && s.Path != e.resource.Target {
		return false
	}
	return strings.HasPrefix(path, s.Prefix) && (s.Tag == "" || e.hasTag(s.Tag))
}

// hasTag also reports true for an entry whose tags are not all known.
func (e *Entry) hasTag(tag string) bool {
	for _, own := range e.tags {
		if own == tag {
			return true
		}
	}
	return !e.tagged
}

func hostname(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		return host[:i]
	}
	return host
}
