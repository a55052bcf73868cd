package testleak

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

// tests leave a goroutine behind until end.
type tests struct {
	code int
	end  <-chan time.Time
}

func (s tests) Run() int {
	go func() { <-s.end }()
	return s.code
}

func TestVerify_WaitsForEndingGoroutines(t *testing.T) {
	now := goleak.IgnoreCurrent()
	late := time.After(2 * time.Second) // goleak waits less
	if code := (patient{tests{end: late}, []goleak.Option{now}}).Run(); code != 0 {
		t.Errorf("the tests ended with %d", code)
	}
	if err := goleak.Find(now); err != nil {
		t.Error(err)
	}
}

func TestVerify_DoesNotWaitAfterFailure(t *testing.T) {
	end := make(chan time.Time)
	defer close(end)
	now := goleak.IgnoreCurrent()
	if code := (patient{tests{code: 1, end: end}, []goleak.Option{now}}).Run(); code != 1 {
		t.Errorf("the tests ended with %d", code)
	}
	if goleak.Find(now) == nil {
		t.Error("the goroutine they left is not there")
	}
}
