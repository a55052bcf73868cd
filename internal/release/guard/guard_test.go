package guard

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// traffic simulates a split, a second at a time.
type traffic struct {
	perSecond       int
	weight          float64 // of the candidate
	live, candidate failing
	seconds         int
}

// failing is how often requests fail.
type failing func(second int) float64

func always(share float64) failing { return func(int) float64 { return share } }

// run returns how many requests the candidate had answered, and how many of its visitors met an error, when the guard
// accused it; accused is false when it did not.
func (s traffic) run(r *rand.Rand) (requests, errors int64, accused bool) {
	test := New(nil)
	for second := range s.seconds {
		var live, candidate Counts
		for range s.perSecond {
			to, share := &live, s.live(second)
			if r.Float64() < s.weight {
				to, share = &candidate, s.candidate(second)
			}
			to.Requests++
			if r.Float64() < share {
				to.Errors++
			}
		}
		test.Add(live, candidate, time.Second)
		if e := test.Evidence(); e.Finding != "" {
			return e.Candidate.Requests, e.Candidate.Errors, true
		}
	}
	return 0, 0, false
}

// outage is a back end that fails for both deployments alike.
func outage(second int) float64 {
	if second%60 < 10 {
		return 0.6
	}
	return 0.001
}

// TestGuard_FalseAlarms holds that at most 1 % of the splits of a deployment that is not worse are ended, in
// five minutes with a look each second. The figures are in docs/decisions/0041.
func TestGuard_FalseAlarms(t *testing.T) {
	const splits = 500
	for name, s := range map[string]traffic{
		"nothing fails":           {live: always(0), candidate: always(0)},
		"one of a thousand fails": {live: always(0.001), candidate: always(0.001)},
		"one of a hundred fails":  {live: always(0.01), candidate: always(0.01)},
		"one of ten fails":        {live: always(0.1), candidate: always(0.1)},
		"as bad as is permitted":  {live: always(0.04), candidate: always(0.06)},
		"an outage of both":       {live: outage, candidate: outage},
		"the candidate is better": {live: always(0.05), candidate: always(0.01)},
	} {
		for _, weight := range []float64{0.1, 0.5} {
			for _, perSecond := range []int{1, 10} {
				s.weight, s.perSecond, s.seconds = weight, perSecond, 300
				r := rand.New(rand.NewPCG(1, uint64(perSecond)))
				alarms := 0
				for range splits {
					if _, _, accused := s.run(r); accused {
						alarms++
					}
				}
				if alarms > splits/100 {
					t.Errorf("%s, %g of %d requests a second: %d false alarms in %d splits", name, weight, perSecond, alarms, splits)
				}
				if testing.Verbose() {
					t.Logf("%-24s weight %.2f, %2d/s: %d false alarms in %d splits", name, weight, perSecond, alarms, splits)
				}
			}
		}
	}
}

// TestGuard_Regressions holds how much of a regression visitors meet before the guard returns.
func TestGuard_Regressions(t *testing.T) {
	const splits = 500
	for _, c := range []struct {
		name            string
		live, candidate float64
		found           int   // of the splits, at least
		requests        int64 // to the candidate until half of the splits were ended, at most, besides those of a round
	}{
		{"all fail", 0, 1, splits, 5},
		{"one of five fails", 0, 0.2, splits, 25},
		{"one of five fails, on top of one of a hundred", 0.01, 0.2, splits, 35},
		{"one of twenty fails", 0.001, 0.05, splits, 110},
		{"one of fifty fails", 0.001, 0.02, splits * 98 / 100, 300},
		{"four times as many fail", 0.01, 0.04, splits * 95 / 100, 600},
	} {
		for _, perSecond := range []int{1, 5, 50} {
			s := traffic{perSecond: perSecond, weight: 0.1, live: always(c.live), candidate: always(c.candidate), seconds: 18000 / perSecond}
			r := rand.New(rand.NewPCG(2, uint64(perSecond)))
			var requests, errors []int64
			for range splits {
				if n, failed, accused := s.run(r); accused {
					requests, errors = append(requests, n), append(errors, failed)
				}
			}
			if len(requests) < c.found {
				t.Errorf("%s, %d/s: found in %d of %d splits", c.name, perSecond, len(requests), splits)
				continue
			}
			slices.Sort(requests)
			slices.Sort(errors)
			half, most := len(requests)/2, len(requests)*95/100
			if requests[half] > c.requests+int64(max(perSecond, roundRequests)/10) {
				t.Errorf("%s, %d/s: half of the splits took more than %d requests", c.name, perSecond, requests[half])
			}
			if testing.Verbose() {
				t.Logf("%-46s %2d/s: found %d of %d; requests until then: half %d, 95 of 100 %d; errors: half %d, 95 of 100 %d", c.name, perSecond,
					len(requests), splits, requests[half], requests[most], errors[half], errors[most])
			}
		}
	}
}

var bounds = []time.Duration{10, 16, 25, 40, 64, 100, 160, 250, 320, 400, 500, 640, 800, 1000}

// latency simulates a split whose requests take so long in the mean, exponentially distributed. It returns after how many seconds
// the guard accused the candidate, 0 if it did not.
func latency(r *rand.Rand, live, candidate float64) int {
	scaled := make([]time.Duration, len(bounds))
	for i, b := range bounds {
		scaled[i] = b * time.Millisecond
	}
	test := New(scaled)
	for second := range 300 {
		counts := [2]Counts{{Durations: make([]int64, len(bounds)+1)}, {Durations: make([]int64, len(bounds)+1)}}
		for range 20 {
			which, mean := 0, live
			if r.Float64() < 0.1 {
				which, mean = 1, candidate
			}
			counts[which].Requests++
			at, _ := slices.BinarySearch(scaled, time.Duration(r.ExpFloat64()*mean*float64(time.Millisecond)))
			counts[which].Durations[at]++
		}
		test.Add(counts[0], counts[1], time.Second)
		if e := test.Evidence(); e.Finding != "" {
			return second + 1
		}
	}
	return 0
}

func TestGuard_Latency(t *testing.T) {
	const splits = 500
	r := rand.New(rand.NewPCG(3, 3))
	count := func(live, candidate float64) (found int) {
		for range splits {
			if latency(r, live, candidate) > 0 {
				found++
			}
		}
		return found
	}
	if n := count(60, 60); n > splits/100 {
		t.Errorf("%d false alarms", n)
	}
	if n := count(60, 70); n > splits/100 {
		t.Errorf("%d alarms for what is hardly slower", n)
	}
	if n := count(60, 240); n != splits {
		t.Errorf("%d of %d found that were four times as slow", n, splits)
	}
}

func TestTest_SaysWhatIsWorse(t *testing.T) {
	test := New(nil)
	if e := test.Evidence(); e.Finding != "" || e.Message != "" {
		t.Errorf("%+v", e)
	}
	test.Add(Counts{Requests: 90}, Counts{Requests: 10, Errors: 6}, 2*time.Second)
	e := test.Evidence()
	if e.Finding != anchor.WorseErrors || e.Seconds != 2 || !strings.Contains(e.Message, "6 of 10 requests (60.0 %) failed, against 0 of 90") {
		t.Errorf("%+v", e)
	}
	test.Add(Counts{Requests: 9000}, Counts{Requests: 1000}, time.Second)
	if e := test.Evidence(); e.Finding != anchor.WorseErrors {
		t.Errorf("the finding is withdrawn: %+v", e)
	}
}

func TestTest_NeedsBoth(t *testing.T) {
	test := New(nil)
	for range 20 {
		test.Add(Counts{}, Counts{Requests: 100, Errors: 100}, time.Second)
	}
	if e := test.Evidence(); e.Finding != "" {
		t.Errorf("accused without a comparison: %+v", e)
	}
}

func TestCounts_Since(t *testing.T) {
	before := Counts{Requests: 5, Errors: 1, Durations: []int64{3, 2}}
	now := Counts{Requests: 9, Errors: 2, Durations: []int64{4, 5}}
	if d := now.Since(before); d.Requests != 4 || d.Errors != 1 || d.Durations[0] != 1 || d.Durations[1] != 3 || now.Durations[1] != 5 {
		t.Errorf("%+v", d)
	}
	if d := before.Since(now); d.Requests != 5 {
		t.Errorf("after a restart: %+v", d)
	}
}
