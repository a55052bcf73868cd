package meter

import (
	"math"
	"sync/atomic"
	"time"
)

// Bounds are the upper bounds of the buckets of a histogram, ten to a decade (the series R10 of ISO 3), so that a
// quantile is wrong by 13 % at most. One more bucket holds what is above the last bound.
var Bounds = bounds()

const (
	decades = 6 // from 100 µs to 100 s
	steps   = 10
	buckets = decades*steps + 2
)

func bounds() (all [buckets - 1]time.Duration) {
	series := [steps]time.Duration{1000, 1250, 1600, 2000, 2500, 3200, 4000, 5000, 6400, 8000}
	scale := 100 * time.Nanosecond
	for i := range all {
		all[i] = series[i%steps] * scale
		if i%steps == steps-1 {
			scale *= 10
		}
	}
	return all
}

// bucketOf returns the index of the first bound that is not below d.
func bucketOf(d time.Duration) int {
	if d <= Bounds[0] { // most stored answers
		return 0
	}
	low, high := 1, len(Bounds)
	for low < high {
		middle := (low + high) / 2
		if d <= Bounds[middle] {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low
}

// histogram counts durations. All its methods may run at the same time.
type histogram struct {
	counts [buckets]atomic.Uint64
	sum    atomic.Int64 // nanoseconds
}

func (h *histogram) add(n int, d time.Duration) {
	h.counts[bucketOf(d)].Add(uint64(n))
	h.sum.Add(int64(n) * int64(d))
}

func (h *histogram) read() (c Counts) {
	for i := range h.counts {
		c.Buckets[i] = h.counts[i].Load()
	}
	c.Sum = time.Duration(h.sum.Load())
	return c
}

// Counts are the durations that a histogram has counted.
type Counts struct {
	Buckets [buckets]uint64 // by Bounds, each without those below
	Sum     time.Duration
}

// Total returns how many durations were counted.
func (c *Counts) Total() (n uint64) {
	for _, count := range c.Buckets {
		n += count
	}
	return n
}

// Add adds the durations of other.
func (c *Counts) Add(other *Counts) {
	for i, n := range other.Buckets {
		c.Buckets[i] += n
	}
	c.Sum += other.Sum
}

// Sub removes the durations of earlier, which was read from the same histogram before.
func (c *Counts) Sub(earlier *Counts) {
	for i, n := range earlier.Buckets {
		c.Buckets[i] -= n
	}
	c.Sum -= earlier.Sum
}

// UpTo returns how many durations were at most bound, which is one of Bounds.
func (c *Counts) UpTo(bound time.Duration) (n uint64) {
	for _, count := range c.Buckets[:bucketOf(bound)+1] {
		n += count
	}
	return n
}

// Quantile returns the duration below which a share q of all durations lies, interpolated within its
// bucket; 0 without durations. Durations above the last bound count as the last bound.
func (c *Counts) Quantile(q float64) time.Duration {
	total := c.Total()
	if total == 0 {
		return 0
	}
	rank := max(1, uint64(math.Ceil(q*float64(total))))
	below := uint64(0)
	for i, count := range c.Buckets {
		if below+count < rank {
			below += count
			continue
		}
		if i == len(Bounds) {
			break
		}
		floor := time.Duration(0)
		if i > 0 {
			floor = Bounds[i-1]
		}
		share := float64(rank-below) / float64(count)
		return floor + time.Duration(share*float64(Bounds[i]-floor))
	}
	return Bounds[len(Bounds)-1]
}
