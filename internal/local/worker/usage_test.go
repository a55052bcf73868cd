package worker

import (
	"math"
	"testing"
	"time"
)

// TestUsage_OfARealProcess has a process block its event loop until a file appears, and reads how it
// fared before and after its end.
func TestUsage_OfARealProcess(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Handler: "faults.handler"})
	warm(t, s.Pool)
	blocked, until := s.block(t, "GET")
	time.AfterFunc(300*time.Millisecond, func() { touch(t, until) })
	if status := receive(t, blocked, "the answer of the blocked process"); status != 200 {
		t.Fatal(status)
	}
	var u Usage
	s.eventually(t, "a report of the delay", func(Stats) bool {
		u = s.Usage()
		return u.DelayMax > 0
	})
	if u.Launched != 1 || u.Heap <= 0 || u.DelayP99 > u.DelayMax || u.DelayMedian > u.DelayP99 {
		t.Errorf("%+v", u)
	}
	if u.CPU <= 0 {
		t.Errorf("no processor time: %+v", u)
	}
	s.Close()
	after := s.Usage()
	if after.CPU < u.CPU || after.Collecting < u.Collecting || after.Collections < u.Collections || after.DelayMax != 0 || after.Heap != 0 {
		t.Errorf("after the end %+v, before %+v", after, u)
	}
	s.get(t, "/")
	if n := s.Usage().Refused; n != 1 {
		t.Errorf("%d refused", n)
	}
}

func TestSeconds_OfWhatAnAppMayWrite(t *testing.T) {
	for n, want := range map[float64]time.Duration{-1: 0, 0.5: 500 * time.Millisecond, math.Inf(1): 24 * time.Hour, math.NaN(): 0} {
		if got := seconds(n); got != want {
			t.Errorf("%v is %s", n, got)
		}
	}
}
