package cache

import (
	"errors"
	"iter"
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
	space    *diskSpace // nil without a disk

	sequence atomic.Uint64
	floor    atomic.Uint64 // of the last invalidation of everything
	storing  atomic.Uint64 // of the last one after which responses under way are not stored

	marking sync.Mutex // held while something is marked and its files are removed

	mu        sync.RWMutex        // held while invalid entries are marked
	resources map[Resource]uint64 // of the last invalidation of one resource
	tags      map[string]uint64   // of the last revalidation of one tag
	untraced  uint64              // of the last revalidation of any tag
	unkeyed   uint64              // of the last revalidation of one page
}

// mostMarks bounds the memory of invalidated resources and tags.
const mostMarks = 4096

// Namespace returns a new, empty namespace, of which nothing is written to disk.
func (s *Store) Namespace() *Namespace {
	return &Namespace{store: s, resources: map[Resource]uint64{}, tags: map[string]uint64{}}
}

// Store returns the store of the namespace.
func (n *Namespace) Store() *Store { return n.store }

// Counters returns the counters of the namespace.
func (n *Namespace) Counters() *Counters { return &n.counters }

// Sequence is the number of the last invalidation. Read it before the function is called.
func (n *Namespace) Sequence() uint64 { return n.sequence.Load() }

// valid reports whether no invalidation concerns the entry. Looking that up again takes nothing as
// long as no other invalidation comes.
func (n *Namespace) valid(e *facts) bool {
	if e.checked.Load() == n.sequence.Load()+1 {
		return true
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	now := n.sequence.Load()
	if e.sequence < n.floor.Load() || e.sequence < n.resources[e.resource] || !e.traced && e.sequence < n.untraced ||
		!e.keyed && e.sequence < n.unkeyed {
		return false
	}
	for _, tag := range e.tags {
		if e.sequence < n.tags[tag] {
			return false
		}
	}
	e.checked.Store(now + 1)
	return true
}

func (n *Namespace) mayStore(e *Entry) bool {
	return e.sequence >= n.storing.Load() && n.valid(e.facts)
}

// Invalidate makes all responses of the namespace invalid, those under way included. A response to
// a request that arrives after it has returned was made after it. When a file cannot be removed, the
// disk is not used any more, now and after the next start; Usage reports it.
func (n *Namespace) Invalidate() {
	n.counters.Invalidations.Add(1)
	_ = n.invalidateAll()
}

func (n *Namespace) invalidateAll() error {
	n.mu.Lock()
	raise(&n.floor, n.sequence.Add(1))
	clear(n.resources)
	clear(n.tags)
	n.mu.Unlock()
	if n.space == nil {
		return nil
	}
	return n.space.clear()
}

// InvalidateResource makes all responses of one resource invalid, those under way included.
func (n *Namespace) InvalidateResource(r Resource) {
	n.counters.Invalidations.Add(1)
	n.marking.Lock()
	defer n.marking.Unlock()
	n.makeRoom(1)
	n.mu.Lock()
	n.resources[r] = n.sequence.Add(1)
	n.mu.Unlock()
	if n.space != nil {
		_ = n.space.removeAt(r)
	}
}

// InvalidateTags makes the responses invalid that have one of the tags, and those of which it is not
// known what they were made from, those under way included.
func (n *Namespace) InvalidateTags(tags ...string) { n.invalidateTags(tags, &n.untraced) }

// InvalidateKeys makes the responses invalid that were made from pages of the app's cache with one of
// the keys, as tags, and those of which it is not known from which pages they were made, those under way included.
func (n *Namespace) InvalidateKeys(keys ...string) { n.invalidateTags(keys, &n.unkeyed) }

// invalidateTags also raises unknown, the number for responses of which too little is known.
func (n *Namespace) invalidateTags(tags []string, unknown *uint64) {
	n.counters.Invalidations.Add(1)
	n.marking.Lock()
	defer n.marking.Unlock()
	n.makeRoom(len(tags))
	n.mu.Lock()
	next := n.sequence.Add(1)
	*unknown = next
	for _, tag := range tags {
		n.tags[tag] = next
	}
	n.mu.Unlock()
	if n.space != nil {
		_, _ = n.space.removeMatching(func(e *facts) bool { return !n.valid(e) })
	}
}

// makeRoom forgets what was marked when the marks are too many: it drops the responses that they make
// invalid, of which the disk has none any more, and has those under way not stored. n.marking is
// held, so that no response of the disk comes into memory between a mark and the removal of its file.
func (n *Namespace) makeRoom(marks int) {
	n.mu.Lock()
	full := len(n.resources)+len(n.tags)+marks > mostMarks
	if full {
		raise(&n.storing, n.sequence.Add(1))
	}
	n.mu.Unlock()
	if !full {
		return
	}
	n.drop(func(*facts) bool { return false })
	n.mu.Lock()
	clear(n.resources)
	clear(n.tags)
	n.mu.Unlock()
}

func raise(v *atomic.Uint64, to uint64) {
	for old := v.Load(); old < to; old = v.Load() {
		if v.CompareAndSwap(old, to) {
			return
		}
	}
}

// InternalTag begins the tags that only the cache knows.
const InternalTag = "\x00"

// Selection says which responses to purge: those that all its fields describe. The zero Selection
// is all of them.
type Selection struct {
	Host   string // "" for any
	Path   string // path, for any query; path and query if it contains "?"; "" for any
	Prefix string // of the path; "" for any
	Tag    string // "" for any
}

// Purge removes responses of the namespace and returns how many there were. Responses under way are
// not stored. An error means that a file is still on disk, which is not used any more.
func (n *Namespace) Purge(sel Selection) (purged int, err error) {
	n.counters.Invalidations.Add(1)
	seen := map[string]bool{}
	note := func(e *facts) {
		if id := e.resource.String() + "\x02" + e.variant(); !seen[id] {
			seen[id] = true
			purged++
		}
	}
	for e := range n.all() {
		if sel.includes(e.facts) {
			note(e.facts)
		}
	}
	raise(&n.storing, n.sequence.Add(1))
	if n.space != nil {
		removed, failed := n.space.removeMatching(sel.includes)
		for _, e := range removed {
			if n.valid(e) {
				note(e)
			}
		}
		err = failed
	}
	if sel == (Selection{}) {
		err = errors.Join(err, n.invalidateAll())
		n.drop(func(*facts) bool { return true })
		return purged, err
	}
	n.drop(sel.includes)
	return purged, err
}

// all returns the valid entries in memory.
func (n *Namespace) all() iter.Seq[*Entry] {
	return func(yield func(*Entry) bool) {
		for k, v := range n.store.variants.All() {
			if k.namespace != n {
				continue
			}
			for _, e := range v.entries {
				if n.valid(e.facts) && !yield(e) {
					return
				}
			}
		}
	}
}

// Drop removes all responses of a namespace that is not used any more, and its folder.
func (n *Namespace) Drop() {
	n.store.forget(n)
	_ = n.invalidateAll()
	if n.space != nil {
		_ = n.space.close()
	}
	n.drop(func(*facts) bool { return true })
}

// drop removes the entries that are included, and those that are invalid.
func (n *Namespace) drop(included func(*facts) bool) {
	for k := range n.store.variants.All() {
		if k.namespace == n {
			n.dropKey(k.key, included)
		}
	}
}

func (n *Namespace) dropKey(key Key, included func(*facts) bool) {
	r := Request{Namespace: n, Key: key}
	r.update(func(old *variants) *variants {
		kept := &variants{}
		for _, e := range old.entries {
			if n.valid(e.facts) && !included(e.facts) {
				kept.entries = append(kept.entries, e)
			}
		}
		if len(kept.entries) == 0 {
			return nil
		}
		return kept
	})
}

func (s Selection) includes(e *facts) bool {
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
func (e *facts) hasTag(tag string) bool {
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
