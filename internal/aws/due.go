package aws

import (
	"hash/fnv"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// rounds decides which projects a round of the reconciler looks at. A look at an idle project
// costs two calls to the API of its KeyValueStore, which are the most expensive ones that Anchor
// makes: a look each minute would cost some 85 USD a month for each project (CloudFront pricing,
// "KeyValueStore": 1 USD for 1,000 API operations).
//
// So a round looks at a project after a release, until the release has spread; while its pointer
// says that traffic is divided; and once a day. All that a process forgets at its end costs looks,
// nothing else.
type rounds struct {
	mu      sync.Mutex
	last    time.Time                             // when the latest round began
	settled map[anchor.ProjectID]anchor.ReleaseID // releases that a look after spread found complete
}

// begin starts a round and returns the time of the one before. A new process assumes that one was
// a minute ago.
func (r *rounds) begin(now time.Time) (before time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, r.last = r.last, now
	if before.IsZero() || now.Sub(before) > day {
		before = now.Add(-time.Minute)
	}
	return before
}

const day = 24 * time.Hour

// due reports whether the round between two times looks at the project.
func (r *rounds) due(live anchor.Live, before, now time.Time) bool {
	if live.DividedSince != 0 || daily(live.ProjectID, before, now) {
		return true
	}
	released, err := anchor.TimeOf(string(live.Release))
	if err != nil {
		return true // the look reports it
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return now.Sub(released) < spreadLong && r.settled[live.ProjectID] != live.Release
}

// settle notes that a look at the time now found all traffic on the release.
func (r *rounds) settle(live anchor.Live, now time.Time) {
	released, err := anchor.TimeOf(string(live.Release))
	if err != nil || now.Sub(released) < spread {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settled[live.ProjectID] = live.Release
}

// daily reports whether the project's minute of the day, which spreads projects evenly, is after
// before and not after now.
func daily(id anchor.ProjectID, before, now time.Time) bool {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // never fails (package hash)
	minute := now.Truncate(day).Add(time.Duration(h.Sum64()%uint64(day/time.Minute)) * time.Minute)
	if minute.After(now) {
		minute = minute.Add(-day)
	}
	return minute.After(before)
}
