package cache

import "sync/atomic"

// Counters count requests by what the cache made of them, and changes of a namespace.
type Counters struct {
	Hits   atomic.Int64 // fresh
	Stale  atomic.Int64 // stale ones that were sent
	Misses atomic.Int64 // a function was called, and its response could have been stored
	Joined atomic.Int64 // of the misses: waited for the response to another request
	Passed atomic.Int64 // the request or the response was not for a shared cache

	Stored        atomic.Int64
	Invalidations atomic.Int64
}

// Usage describes a store.
type Usage struct {
	Entries         int
	Bytes, Capacity int64
	Evictions       int64
}

// Usage returns what the store holds. The number of entries is an estimate.
func (s *Store) Usage() Usage {
	return Usage{
		Entries: s.variants.EstimatedSize(), Bytes: int64(s.variants.WeightedSize()), Capacity: s.capacity,
		Evictions: int64(s.variants.Stats().Evictions),
	}
}

// Size returns how many valid responses the namespace has, and their octets.
func (n *Namespace) Size() (entries int, bytes int64) {
	for k, v := range n.store.variants.All() {
		if k.namespace != n {
			continue
		}
		for _, e := range v.entries {
			if n.valid(e) {
				entries++
				bytes += e.weight()
			}
		}
	}
	return entries, bytes
}
