// Package guard decides, while requests arrive, whether one of two deployments that share the traffic is worse than
// the other. Its answer may be asked for after each request: the chance that it ever accuses a deployment that is not worse is bounded
// over the whole split, however often it looks and however few requests there are.
package guard

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// What counts as worse. A candidate is worse by its errors when the share of its requests that fail is more than
// errorRatio times that of the live deployment, and at least errorGap higher; likewise by its slow requests.
const (
	errorRatio, errorGap = 1.5, 0.005
	slowRatio, slowGap   = 2.0, 0.05
)

// limit is the value at which one of the two tests accuses: the inverse of the chance that it does so although
// the candidate is not worse (Ville's inequality). Together that is 1 %.
const limit = 200

// A request is slow when it takes longer than slowFactor times what 95 of 100 requests to the live deployment took in
// the beginning, and slowMargin longer than that.
const (
	slowFactor = 1.5
	slowMargin = 50 * time.Millisecond
	// enoughToJudge is how many requests to the live deployment that takes.
	enoughToJudge = 50
	// coldStart is the time in which latency is not compared: processes start and caches fill.
	coldStart = 30 * time.Second
)

// Counts are requests that the functions of a deployment answered.
type Counts struct {
	Requests, Errors int64
	Durations        []int64 // by the bounds of New, and one more above the last; nil where they are not known
}

// Since returns what was counted after earlier. Counters that are lower than before have begun again.
func (c Counts) Since(earlier Counts) Counts {
	if c.Requests < earlier.Requests {
		return c
	}
	d := Counts{Requests: c.Requests - earlier.Requests, Errors: c.Errors - earlier.Errors, Durations: slices.Clone(c.Durations)}
	for i := range min(len(d.Durations), len(earlier.Durations)) {
		d.Durations[i] -= earlier.Durations[i]
	}
	return d
}

func (c *Counts) add(more Counts) {
	c.Requests, c.Errors = c.Requests+more.Requests, c.Errors+more.Errors
	if c.Durations == nil {
		c.Durations = make([]int64, len(more.Durations))
	}
	for i, n := range more.Durations {
		c.Durations[i] += n
	}
}

// Test compares two deployments. New makes one.
type Test struct {
	bounds []time.Duration
	took   time.Duration

	live, candidate         Counts
	errors, slow            ratioTest
	threshold               int // index of the bound above which a request is slow; -1 until it is known
	slowLive, slowCandidate int64
	judgedLive, judged      int64 // requests that were compared with the threshold
	finding                 anchor.Finding
}

// New returns a test of durations with rising bounds, which may be nil where durations are not known.
func New(bounds []time.Duration) *Test {
	return &Test{bounds: bounds, threshold: -1, errors: newRatioTest(errorRatio), slow: newRatioTest(slowRatio)}
}

// Add adds what both deployments answered in the same time, which took so long. Once there is a finding, it stays.
func (t *Test) Add(live, candidate Counts, took time.Duration) {
	t.took += took
	t.errors.add(occurrences{live.Requests, candidate.Requests, live.Errors, candidate.Errors, took})
	if t.threshold >= 0 && t.took > coldStart {
		slowLive, slowCandidate := t.countSlow(live), t.countSlow(candidate)
		t.slow.add(occurrences{live.Requests, candidate.Requests, slowLive, slowCandidate, took})
		t.slowLive, t.slowCandidate = t.slowLive+slowLive, t.slowCandidate+slowCandidate
		t.judgedLive, t.judged = t.judgedLive+live.Requests, t.judged+candidate.Requests
	}
	t.live.add(live)
	t.candidate.add(candidate)
	if t.threshold < 0 && t.live.Requests >= enoughToJudge && len(t.bounds) > 0 {
		t.setThreshold()
	}
	if t.finding == "" {
		t.finding = t.find()
	}
}

// setThreshold chooses what is slow by requests of the past only, so that the choice cannot favor a
// deployment.
func (t *Test) setThreshold() {
	usual := t.quantile(t.live.Durations)
	least := max(time.Duration(slowFactor*float64(usual)), usual+slowMargin)
	at, _ := slices.BinarySearch(t.bounds, least)
	t.threshold = min(at, len(t.bounds)-1)
}

func (t *Test) countSlow(c Counts) (n int64) {
	if t.threshold+1 > len(c.Durations) {
		return 0
	}
	for _, count := range c.Durations[t.threshold+1:] {
		n += count
	}
	return n
}

func (t *Test) find() anchor.Finding {
	switch {
	case t.errors.exceeds() && gap(t.live.Errors, t.live.Requests, t.candidate.Errors, t.candidate.Requests) >= errorGap:
		return anchor.WorseErrors
	case t.slow.exceeds() && gap(t.slowLive, t.judgedLive, t.slowCandidate, t.judged) >= slowGap:
		return anchor.WorseLatency
	}
	return ""
}

// gap returns by how much the share of the second is higher.
func gap(some, of, others, ofOthers int64) float64 {
	return float64(others)/float64(max(ofOthers, 1)) - float64(some)/float64(max(of, 1))
}

// quantile returns what 95 of 100 durations did not exceed, as the bound above it.
func (t *Test) quantile(durations []int64) time.Duration {
	var total, below int64
	for _, n := range durations {
		total += n
	}
	for i, n := range durations {
		below += n
		if total > 0 && float64(below) >= 0.95*float64(total) {
			return t.bounds[min(i, len(t.bounds)-1)]
		}
	}
	return 0
}

// Evidence returns what was seen, and what is worse.
func (t *Test) Evidence() anchor.Evidence {
	e := anchor.Evidence{
		Seconds: int64(t.took / time.Second),
		Live:    anchor.SplitShare{Requests: t.live.Requests, Errors: t.live.Errors, Slow: t.slowLive, P95MS: t.quantile(t.live.Durations).Milliseconds()},
		Candidate: anchor.SplitShare{
			Requests: t.candidate.Requests, Errors: t.candidate.Errors, Slow: t.slowCandidate, P95MS: t.quantile(t.candidate.Durations).Milliseconds(),
		},
		Finding: t.finding,
	}
	switch t.finding {
	case anchor.WorseErrors:
		e.Message = fmt.Sprintf("%s failed, against %s on the live deployment",
			shareText(t.candidate.Errors, t.candidate.Requests), shareText(t.live.Errors, t.live.Requests))
	case anchor.WorseLatency:
		e.Message = fmt.Sprintf("%s took longer than %d ms, against %s on the live deployment",
			shareText(t.slowCandidate, t.judged), t.bounds[t.threshold].Milliseconds(), shareText(t.slowLive, t.judgedLive))
	}
	return e
}

func shareText(some, of int64) string {
	return fmt.Sprintf("%d of %d requests (%.1f %%)", some, of, 100*float64(some)/float64(max(of, 1)))
}

// ratioTest tests whether something is more than ratio times as frequent on the candidate. It looks at the occurrences only: when both
// are alike, each is the candidate's with the chance of the candidate's share of the requests. A bet on the
// opposite that multiplies its stake at fair odds then rarely gets far: the mean of the stakes is a test supermartingale (Shafer et al.,
// Test martingales, Bayes factors and p-values, 2011), so the chance that it ever reaches n is at most 1/n.
type ratioTest struct {
	ratio  float64
	stakes [len(bets)]float64 // logarithms
	next   occurrences        // that no stake has been multiplied by
}

// occurrences are requests to both deployments in the same time, and on how many of them it occurred.
type occurrences struct {
	live, candidate int64
	some, others    int64 // of live, of candidate
	took            time.Duration
}

// A round of bets takes so many requests, or so much time; and a request to each deployment in any case, because without
// the other's requests occurrences say nothing.
const (
	roundRequests = 30
	roundTime     = 10 * time.Second
)

// bets are how many times more frequent each stake assumes it to be, besides always.
var bets = [...]float64{3, 5, 10, 30, 100, math.Inf(1)}

func newRatioTest(ratio float64) ratioTest { return ratioTest{ratio: ratio} }

func (r *ratioTest) add(more occurrences) {
	n := &r.next
	n.live, n.candidate, n.some, n.others, n.took = n.live+more.live, n.candidate+more.candidate, n.some+more.some, n.others+more.others, n.took+more.took
	if n.live == 0 || n.candidate == 0 || n.live+n.candidate < roundRequests && n.took < roundTime {
		return
	}
	fair := shareAt(r.ratio, n.live, n.candidate)
	for i, bet := range bets {
		share := shareAt(bet, n.live, n.candidate)
		r.stakes[i] += float64(n.others) * math.Log(share/fair)
		if n.some > 0 {
			r.stakes[i] += float64(n.some) * math.Log((1-share)/(1-fair))
		}
	}
	r.next = occurrences{}
}

// shareAt returns the candidate's share of the occurrences if one of its requests has it ratio times as often.
func shareAt(ratio float64, live, candidate int64) float64 {
	return 1 / (1 + float64(live)/(ratio*float64(candidate)))
}

func (r *ratioTest) exceeds() bool {
	var sum float64
	for _, stake := range r.stakes {
		sum += math.Exp(stake)
	}
	return sum/float64(len(bets)) >= limit
}
