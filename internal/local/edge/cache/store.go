package cache

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// Store keeps responses in memory, up to a number of octets. What is asked for often stays, and a
// crawler that asks for everything once does not evict it. It is safe for concurrent use.
type Store struct {
	capacity  int64
	variants  *otter.Cache[storeKey, *variants]
	recording atomic.Int64 // octets of bodies that are being received
	flights   flights

	disk     *disk // nil without one
	diskless error // why there is no disk, though one was asked for
	recalls  [64]sync.Mutex

	mu    sync.Mutex
	named map[string]*Namespace
}

// storeKey is a Key in a namespace.
type storeKey struct {
	namespace *Namespace
	key       Key
}

// Key identifies the responses among which the fields of Vary select.
type Key [sha256.Size]byte

// NewKey returns the key of the parts; different parts never have the same key.
func NewKey(parts ...string) Key {
	buf := make([]byte, 0, 1024) // on the stack, for most keys
	for _, part := range parts {
		buf = binary.BigEndian.AppendUint64(buf, uint64(len(part)))
		buf = append(buf, part...)
	}
	return sha256.Sum256(buf)
}

// variants are the responses of one key. They do not change.
type variants struct {
	entries []*Entry // newest first
	// passing marks a key whose last response was not stored: until then nobody waits for the
	// response to somebody else.
	passing time.Time
}

const (
	// mostVariants is how many responses a key may have: clients choose the fields that Vary names.
	mostVariants = 32
	// passFor is how long a key stays marked as one whose responses are not stored.
	passFor = 2 * time.Minute
)

// New returns a store that holds capacity octets.
func New(capacity int64) *Store {
	return &Store{
		capacity: capacity,
		variants: otter.Must(&otter.Options[storeKey, *variants]{
			MaximumWeight: uint64(capacity),
			Weigher:       func(_ storeKey, v *variants) uint32 { return v.weight() },
		}),
		flights: flights{byKey: map[flightKey]*Flight{}},
		named:   map[string]*Namespace{},
	}
}

// Open returns the namespace of a name, with what the disk has of it. As long as it is not dropped,
// another call returns the same one.
func (s *Store) Open(name string) *Namespace {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.named[name]
	if n == nil {
		n = s.Namespace()
		if s.disk != nil {
			n.space = s.disk.openSpace(n, name)
		}
		s.named[name] = n
	}
	return n
}

func (s *Store) forget(n *Namespace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, named := range s.named {
		if named == n {
			delete(s.named, name)
		}
	}
}

// Remove removes all that the store has of the namespace of a name, whether it is open or not.
func (s *Store) Remove(name string) {
	s.mu.Lock()
	n := s.named[name]
	s.mu.Unlock()
	if n == nil {
		n = s.Open(name) // which finds what the disk has
	}
	n.Drop()
}

// Sweep removes what the disk has of namespaces that are not open.
func (s *Store) Sweep() error {
	s.mu.Lock() // so that none is opened meanwhile
	defer s.mu.Unlock()
	if s.disk == nil {
		return nil
	}
	return s.disk.sweep()
}

// Close writes what is worth keeping to disk, until ctx ends. A store without a disk needs no Close.
func (s *Store) Close(ctx context.Context) error {
	if s.disk == nil {
		return nil
	}
	return s.disk.close(ctx)
}

// holds reports whether a response for the key is in memory.
func (s *Store) holds(key storeKey) bool {
	_, ok := s.variants.GetEntryQuietly(key)
	return ok
}

func (v *variants) weight() uint32 {
	n := int64(overhead)
	for _, e := range v.entries {
		n += e.weight()
	}
	return uint32(min(n, math.MaxUint32))
}

// largestShare is the part of the store that one response may take, and that those under way may
// take together is a quarter.
const largestShare = 16

// Reserve makes room for octets of a body that is being received, of which there are size already.
// It returns false if the response is too large to be stored. Release returns the room.
func (s *Store) Reserve(size, octets int64) bool {
	if size+octets > s.capacity/largestShare {
		return false
	}
	if s.recording.Add(octets) > s.capacity/4 {
		s.recording.Add(-octets)
		return false
	}
	return true
}

// Release returns the room of octets.
func (s *Store) Release(octets int64) { s.recording.Add(-octets) }

// Request looks for stored responses to one GET or HEAD request.
type Request struct {
	Namespace *Namespace
	Key       Key
	Resource  Resource
	Fields    Fields
}

// Find returns the stored response that the request selects, whatever its age; nil for none. It
// also reports whether the last response for the key could not be stored.
func (r *Request) Find(now time.Time) (entry *Entry, passing bool) {
	v, ok := r.Namespace.store.variants.GetIfPresent(storeKey{r.Namespace, r.Key})
	if !ok {
		return nil, false
	}
	for _, e := range v.entries {
		if r.Namespace.valid(e.facts) && e.matches(r.Fields) {
			return e, false
		}
	}
	return nil, now.Before(v.passing)
}

// Recall is Find among the responses on disk. What it finds is in memory afterwards.
func (r *Request) Recall(now time.Time) *Entry {
	space := r.Namespace.space
	if space == nil {
		return nil
	}
	one := &r.Namespace.store.recalls[int(r.Key[0])%len(r.Namespace.store.recalls)]
	one.Lock()
	defer one.Unlock()
	if e, _ := r.Find(now); e != nil { // another request has recalled it
		return e
	}
	return space.recall(r, now)
}

// Response is a complete response to a Request.
type Response struct {
	Status   int
	Header   http.Header // the store keeps it
	Body     []byte      // the store keeps it
	Lifetime Lifetime
	Sequence uint64 // Namespace.Sequence when the function was called
	Received time.Time
	// Tags are those of what the response was made from; if Traced, there is nothing else that an app
	// can revalidate.
	Tags   []string
	Traced bool
	// Keyed says that Tags name all pages of the app's cache that the response was made from.
	Keyed bool
	// Untold says that the app will name the tags if it is asked again.
	Untold bool
}

// Put stores a response and returns it as an entry. It returns false if the response was
// invalidated since it was asked for.
func (r *Request) Put(response Response) (*Entry, bool) {
	e := r.entry(response)
	if !r.Namespace.mayStore(e) {
		return e, false
	}
	r.update(func(old *variants) *variants { return old.with(e, r.Namespace) })
	if !r.Namespace.mayStore(e) {
		// A purge may have looked before the entry was there.
		r.Namespace.dropKey(r.Key, func(other *facts) bool { return other == e.facts })
		return e, false
	}
	r.Namespace.counters.Stored.Add(1)
	if r.Namespace.space != nil {
		r.Namespace.space.enqueue(r.Key, e)
	}
	return e, true
}

// Encoded records that a stored response was encoded, so that the disk gets what was made.
func (r *Request) Encoded(e *Entry) {
	if r.Namespace.space != nil {
		r.Namespace.space.enqueueAgain(r.Key, e)
	}
}

func (r *Request) entry(response Response) *Entry {
	e := &Entry{Header: response.Header, Body: response.Body, untold: response.Untold, facts: &facts{
		Status: response.Status, Lifetime: response.Lifetime, resource: r.Resource, vary: VaryOf(response.Header),
		received: response.Received, initialAge: initialAge(response.Header, response.Received), sequence: response.Sequence,
	}}
	e.values = r.Fields.of(e.vary)
	e.tags, e.tagged = tagsOf(response.Header)
	e.tags, e.traced = append(e.tags, response.Tags...), response.Traced
	e.keyed = response.Keyed || response.Traced
	e.tagged = e.tagged || e.traced
	delete(e.Header, "Age") // each response gets its own
	return e
}

// Unstored returns an entry with a header that must not be stored, for the client that asked.
func (r *Request) Unstored(old *Entry, header http.Header, now time.Time) *Entry {
	return r.entry(Response{Status: old.Status, Header: header, Body: old.Body, Received: now})
}

// Pass marks the key as one whose responses are not stored.
func (r *Request) Pass(now time.Time) {
	r.update(func(old *variants) *variants { return &variants{entries: old.entries, passing: now.Add(passFor)} })
}

// update replaces what the key has by the result of change, which removes the key by nil.
func (r *Request) update(change func(old *variants) *variants) {
	r.Namespace.store.variants.Compute(storeKey{r.Namespace, r.Key}, func(old *variants, found bool) (*variants, otter.ComputeOp) {
		if !found {
			old = &variants{}
		}
		if next := change(old); next != nil {
			return next, otter.WriteOp
		}
		return nil, otter.InvalidateOp
	})
}

func (v *variants) with(e *Entry, n *Namespace) *variants {
	entries := []*Entry{e}
	for _, other := range v.entries {
		if len(entries) < mostVariants && n.valid(other.facts) && !other.sameVariant(e.facts) {
			entries = append(entries, other)
		}
	}
	return &variants{entries: entries}
}
