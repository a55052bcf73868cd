package metrics

import "github.com/anchor-deploy/anchor/internal/local/edge/meter"

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

// Merge adds the requests of other.
func (t *Totals) Merge(other *Totals) {
	t.Requests, t.Errors, t.Octets = t.Requests+other.Requests, t.Errors+other.Errors, t.Octets+other.Octets
	for i, n := range other.ByOutcome {
		t.ByOutcome[i] += n
	}
	t.Durations.Add(&other.Durations)
}

// subtract removes the requests of earlier, which was read from the same counters before.
func (t *Totals) subtract(earlier *Totals) {
	t.Requests, t.Errors, t.Octets = t.Requests-earlier.Requests, t.Errors-earlier.Errors, t.Octets-earlier.Octets
	for i, n := range earlier.ByOutcome {
		t.ByOutcome[i] -= n
	}
	t.Durations.Sub(&earlier.Durations)
}
