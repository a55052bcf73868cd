package anchor

import (
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
)

func TestID_GrowsWhenClockGoesBack(t *testing.T) {
	entropy.Lock()
	defer entropy.Unlock()
	now := time.Now()
	last := ""
	for _, at := range []time.Time{now, now, now.Add(-time.Hour), now.Add(-2 * time.Hour), now.Add(time.Millisecond)} {
		id := newID(ulid.Timestamp(at))
		if id <= last {
			t.Errorf("%s of %v follows %s", id, at, last)
		}
		last = id
	}
}
