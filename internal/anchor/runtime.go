package anchor

import "time"

// The runtimes of Settings.Runtime.
const (
	RuntimeNode22 = "nodejs22.x"
	RuntimeNode24 = "nodejs24.x"
)

// runtimeEnds is when AWS ends support of a runtime (Lambda Developer Guide, "Lambda runtimes",
// "Deprecation date", read 2026-11).
var runtimeEnds = map[string]string{RuntimeNode22: "2027-04-30", RuntimeNode24: "2028-04-30"}

// warnBefore is how long before the end of a runtime Anchor begins to warn.
const warnBefore = 180 * 24 * time.Hour

// RuntimeEnd returns the day on which AWS ends support of a runtime of Lambda ("2027-04-30"), and whether
// that is soon, or past. The day is "" for a runtime that Anchor does not know.
func RuntimeEnd(runtime string, now time.Time) (day string, soon bool) {
	day = runtimeEnds[runtime]
	end, err := time.Parse(time.DateOnly, day)
	return day, err == nil && now.Add(warnBefore).After(end)
}
