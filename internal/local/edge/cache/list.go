package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// Listed describes a stored response.
type Listed struct {
	ID       string // of the response in its namespace, the same from one store to the next
	URL      string
	Status   int
	Vary     []string // request fields that select it
	Tags     []string // without those that only the cache knows; at most mostListedTags
	Age, TTL time.Duration
	Bytes    int64 // in memory, estimated; in a file, exact
	Hits     int64 // since it came into memory
	OnDisk   bool  // only on disk
}

// mostListedTags bounds the tags of a listed response.
const mostListedTags = 32

// List returns the valid responses that sel describes, in no particular order.
func (n *Namespace) List(sel Selection, now time.Time) []Listed {
	var all []Listed
	seen := map[string]bool{}
	for e := range n.all() {
		if sel.includes(e.facts) {
			one := e.listed(now, e.weight())
			one.Hits = e.hits.Load()
			seen[one.ID] = true
			all = append(all, one)
		}
	}
	if n.space == nil {
		return all
	}
	n.space.each(func(about *facts, size int64) {
		if !n.valid(about) || !sel.includes(about) || about.Age(now) >= about.usable() {
			return
		}
		if one := about.listed(now, size); !seen[one.ID] {
			one.OnDisk = true
			all = append(all, one)
		}
	})
	return all
}

func (e *facts) listed(now time.Time, size int64) Listed {
	sum := sha256.Sum256([]byte(e.resource.String() + "\x02" + e.variant()))
	tags := slices.DeleteFunc(slices.Clone(e.tags), func(tag string) bool { return strings.HasPrefix(tag, InternalTag) })
	slices.Sort(tags)
	tags = slices.Compact(tags)
	return Listed{
		ID: hex.EncodeToString(sum[:8]), URL: e.resource.String(), Status: e.Status, Vary: slices.Clone(e.vary),
		Tags: tags[:min(len(tags), mostListedTags)], Age: e.Age(now), TTL: e.TTL(now), Bytes: size,
	}
}
