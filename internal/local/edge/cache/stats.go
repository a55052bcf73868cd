package cache

import "sync/atomic"

// Counters count requests by what the cache made of them, and changes of a namespace.
type Counters struct {
	Hits   atomic.Int64 // fresh
	Stale  atomic.Int64 // stale ones that were sent
	Misses atomic.Int64 // a function was called, and its response could have been stored
	Joined atomic.Int64 // of the misses: waited for the response to another request
	Passed atomic.Int64 // the request or the response was not for a shared cache

	Recalled atomic.Int64 // from disk

	Stored        atomic.Int64
	Invalidations atomic.Int64
}

// Usage describes a store.
type Usage struct {
	Entries         int
	Bytes, Capacity int64
	Evictions       int64
	Disk            DiskState // Capacity is 0 without one
}

// Usage returns what the store holds. The number of entries is an estimate.
func (s *Store) Usage() Usage {
	usage := Usage{
		Entries: s.variants.EstimatedSize(), Bytes: int64(s.variants.WeightedSize()), Capacity: s.capacity,
		Evictions: int64(s.variants.Stats().Evictions),
	}
	switch {
	case s.disk != nil:
		usage.Disk = s.disk.describe()
	case s.diskless != nil:
		usage.Disk.Problem = s.diskless.Error()
	}
	return usage
}

// Size returns how many valid responses the namespace has in memory, and their octets.
func (n *Namespace) Size() (entries int, bytes int64) {
	for e := range n.all() {
		entries++
		bytes += e.weight()
	}
	return entries, bytes
}

// DiskSize returns how many responses the namespace has on disk, and their octets.
func (n *Namespace) DiskSize() (entries int, bytes int64) {
	if n.space == nil {
		return 0, 0
	}
	n.space.each(func(_ *facts, size int64) {
		entries++
		bytes += size
	})
	return entries, bytes
}
