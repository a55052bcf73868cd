package anchor

import (
	"testing"
	"time"
)

func TestRuntimeEnd(t *testing.T) {
	for _, test := range []struct {
		runtime, now, day string
		soon              bool
	}{
		{RuntimeNode22, "2026-10-30", "2027-04-30", false},
		{RuntimeNode22, "2026-11-03", "2027-04-30", true},
		{RuntimeNode22, "2028-01-01", "2027-04-30", true},
		{RuntimeNode24, "2026-11-03", "2028-04-30", false},
		{"provided.al2023", "2026-11-03", "", false},
	} {
		now, err := time.Parse(time.DateOnly, test.now)
		if err != nil {
			t.Fatal(err)
		}
		if day, soon := RuntimeEnd(test.runtime, now); day != test.day || soon != test.soon {
			t.Errorf("on %s %s ends %s, soon: %v", test.now, test.runtime, day, soon)
		}
	}
}
