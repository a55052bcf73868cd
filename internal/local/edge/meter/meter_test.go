package meter

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestBounds_AreThoseOfPrometheus(t *testing.T) {
	if !slices.IsSorted(Bounds[:]) || Bounds[0] != 100*time.Microsecond || Bounds[len(Bounds)-1] != 100*time.Second {
		t.Errorf("%v", Bounds)
	}
	for _, want := range []time.Duration{time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Second} {
		if !slices.Contains(Bounds[:], want) {
			t.Errorf("without %s", want)
		}
	}
}

func TestBucketOf_FirstBoundNotBelow(t *testing.T) {
	for range 10000 {
		d := time.Duration(rand.Int64N(int64(200 * time.Second)))
		if rand.IntN(2) == 0 {
			d = time.Duration(rand.Int64N(int64(2 * time.Millisecond)))
		}
		want := slices.IndexFunc(Bounds[:], func(b time.Duration) bool { return d <= b })
		if want < 0 {
			want = len(Bounds)
		}
		if got := bucketOf(d); got != want {
			t.Fatalf("%s is in bucket %d, want %d", d, got, want)
		}
	}
}

func TestQuantile_NearTheTrueOne(t *testing.T) {
	var h histogram
	var all []time.Duration
	for range 20000 {
		d := time.Millisecond + time.Duration(rand.ExpFloat64()*float64(50*time.Millisecond))
		all = append(all, d)
		h.add(1, d)
	}
	slices.Sort(all)
	counts := h.read()
	for _, q := range []float64{0.5, 0.95, 0.99} {
		want := all[int(q*float64(len(all)))]
		if got := counts.Quantile(q); float64((got - want).Abs()) > 0.28*float64(want) {
			t.Errorf("quantile %v is %s, want about %s", q, got, want)
		}
	}
	var none Counts
	if none.Quantile(0.5) != 0 {
		t.Error("a quantile of nothing")
	}
	h.add(1000000, time.Hour)
	if over := h.read(); over.Quantile(0.99) != 100*time.Second {
		t.Errorf("%s", over.Quantile(0.99))
	}
}

func TestTraffic_CountsByLabels(t *testing.T) {
	traffic := NewTraffic("default", "api")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				traffic.Cell("", Static, 200).Add(2, 20, time.Millisecond)
				traffic.Cell("api", Dynamic, 503).Add(1, 5, time.Second)
				traffic.Cell("unknown", Miss, 999).Add(1, 0, 0)
			}
		})
	}
	all.Wait()
	samples := traffic.Samples()
	want := []Sample{{Outcome: Static, Class: 2, Octets: 160000}, {Outcome: Miss, Class: 5}, {Function: "api", Outcome: Dynamic, Class: 5, Octets: 40000}}
	if len(samples) != len(want) {
		t.Fatalf("%+v", samples)
	}
	for i, s := range samples {
		total := s.Durations.Total()
		s.Durations = Counts{}
		if s != want[i] || total != []uint64{16000, 8000, 8000}[i] {
			t.Errorf("%+v %d, want %+v", s, total, want[i])
		}
	}
	if n := samples[2].Durations; n.UpTo(time.Second) != 8000 || n.UpTo(800*time.Millisecond) != 0 {
		t.Errorf("%+v", n)
	}
}

func TestCell_CostsNoMemory(t *testing.T) {
	traffic := NewTraffic("default")
	if n := testing.AllocsPerRun(100, func() { traffic.Cell("", Hit, 200).Add(1, 10, time.Microsecond) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCell(b *testing.B) {
	traffic := NewTraffic("default")
	for b.Loop() {
		traffic.Cell("", Static, 200).Add(1, 10, 30*time.Microsecond)
	}
}
