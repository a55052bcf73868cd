package metrics

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/edge"
	"github.com/anchor-deploy/anchor/internal/local/edge/meter"
)

const (
	// SlotLength is the resolution of a History.
	SlotLength = 30 * time.Second
	// Reach is how far a History goes back.
	Reach = time.Hour
)

// Totals sum up requests of a deployment.
type Totals struct {
	Requests, Errors int64 // errors are those with a status of 5xx
	Octets           int64 // of bodies
	ByOutcome        [meter.Dynamic + 1]int64
	Durations        meter.Counts
}

// Sum returns the totals of samples.
func Sum(samples []meter.Sample) (t Totals) {
	for i := range samples {
		s := &samples[i]
		n := int64(s.Durations.Total())
		t.Requests += n
		if s.Class == 5 {
			t.Errors += n
		}
		t.Octets += s.Octets
		t.ByOutcome[s.Outcome] += n
		t.Durations.Add(&s.Durations)
	}
	return t
}

// HitRatio returns the share of stored answers among the requests for answers that can be stored; ok is
// false without one.
func (t *Totals) HitRatio() (ratio float64, ok bool) {
	hits := t.ByOutcome[meter.Hit] + t.ByOutcome[meter.Stale]
	all := hits + t.ByOutcome[meter.Miss]
	if all == 0 {
		return 0, false
	}
	return float64(hits) / float64(all), true
}

func (t *Totals) add(d *delta) {
	t.Requests, t.Errors, t.Octets = t.Requests+d.requests, t.Errors+d.errors, t.Octets+d.octets
	for i, n := range d.byOutcome {
		t.ByOutcome[i] += n
	}
	for i, n := range d.buckets {
		t.Durations.Buckets[i] += uint64(n)
	}
	t.Durations.Sum += d.sum
}

// delta is the traffic of one slot, in less memory than Totals.
type delta struct {
	end                      time.Time
	requests, errors, octets int64
	byOutcome                [meter.Dynamic + 1]int64
	buckets                  [len(meter.Bounds) + 1]uint32
	sum                      time.Duration
}

func difference(now, before *Totals) (d delta) {
	d.requests, d.errors, d.octets = now.Requests-before.Requests, now.Errors-before.Errors, now.Octets-before.Octets
	for i := range d.byOutcome {
		d.byOutcome[i] = now.ByOutcome[i] - before.ByOutcome[i]
	}
	for i := range d.buckets {
		d.buckets[i] = uint32(min(now.Durations.Buckets[i]-before.Durations.Buckets[i], math.MaxUint32))
	}
	d.sum = now.Durations.Sum - before.Durations.Sum
	return d
}

// track is the past of one deployment.
type track struct {
	since  time.Time // when it was first seen
	last   Totals    // at the last Tick
	deltas []delta   // oldest first, without slots in which nothing happened
}

// History keeps the traffic of the deployments that are served, slot by slot.
type History struct {
	mu     sync.Mutex
	ticks  []time.Time // ends of slots within Reach, oldest first; the first is the start
	tracks map[string]*track
}

// NewHistory returns a History that begins now.
func NewHistory(now time.Time) *History {
	return &History{ticks: []time.Time{now}, tracks: map[string]*track{}}
}

// Tick ends a slot. It forgets what is older than Reach, and deployments that are not served any more.
func (h *History) Tick(now time.Time, sites []edge.SiteMeasures) {
	h.mu.Lock()
	defer h.mu.Unlock()
	oldest := now.Add(-Reach)
	h.ticks = append(h.ticks, now)
	for len(h.ticks) > 2 && h.ticks[1].Before(oldest) {
		h.ticks = slices.Delete(h.ticks, 0, 1)
	}
	served := make(map[string]bool, len(sites))
	for i := range sites {
		id, t := sites[i].Deployment, Sum(sites[i].Samples)
		served[id] = true
		k := h.trackOf(id, &t)
		if d := difference(&t, &k.last); d.requests > 0 {
			d.end = now
			k.deltas = append(k.deltas, d)
		}
		k.last = t
		k.deltas = slices.DeleteFunc(k.deltas, func(d delta) bool { return d.end.Before(oldest) })
	}
	for id := range h.tracks {
		if !served[id] {
			delete(h.tracks, id)
		}
	}
}

// trackOf returns the past of a deployment whose present totals are t. Fewer requests than before mean
// that its site was opened again.
func (h *History) trackOf(id string, t *Totals) *track {
	k := h.tracks[id]
	if k == nil {
		k = &track{since: h.ticks[max(0, len(h.ticks)-2)]}
		h.tracks[id] = k
	}
	if t.Requests < k.last.Requests {
		k.last = Totals{}
	}
	return k
}

// Last returns the traffic of a deployment within the last d or a little more, and since when that
// is. With 0 it is all since the start of the server.
func (h *History) Last(now time.Time, d time.Duration, site edge.SiteMeasures) (t Totals, since time.Time) {
	present := Sum(site.Samples)
	h.mu.Lock()
	defer h.mu.Unlock()
	k := h.tracks[site.Deployment]
	if k == nil { // since the last tick
		return present, h.ticks[len(h.ticks)-1]
	}
	if d == 0 {
		return present, k.since
	}
	begin := h.ticks[0]
	for _, tick := range h.ticks {
		if !tick.After(now.Add(-d)) {
			begin = tick
		}
	}
	if begin.Before(k.since) {
		begin = k.since
	}
	last := k.last
	if present.Requests < last.Requests {
		last = Totals{}
	}
	rest := difference(&present, &last)
	t.add(&rest)
	for i := range k.deltas {
		if k.deltas[i].end.After(begin) {
			t.add(&k.deltas[i])
		}
	}
	return t, begin
}
