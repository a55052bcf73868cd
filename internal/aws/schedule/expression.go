package schedule

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/robfig/cron/v3"
)

// anyDay is the bit by which package cron marks a field that was "*" or "?".
const anyDay = 1 << 63

// Expressions returns the expressions of EventBridge Scheduler that together name the times of a
// schedule of five fields in UTC (EventBridge Scheduler User Guide, "Cron-based schedules"). They list
// numbers and ranges only, because the two languages count steps and days of the week differently. There
// are two when the schedule names days of the month and days of the week: either is enough in crontab(5),
// and EventBridge accepts one of them.
func Expressions(schedule string) ([]string, error) {
	parsed, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(schedule)
	if err != nil {
		return nil, fmt.Errorf("read the schedule %q: %w", schedule, err)
	}
	s, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, fmt.Errorf("the schedule %q has no fields", schedule)
	}
	times := list(s.Minute, 0, 59, 0) + " " + list(s.Hour, 0, 23, 0)
	month := list(s.Month, 1, 12, 0)
	byDay := fmt.Sprintf("cron(%s %s %s ? *)", times, list(s.Dom, 1, 31, 0), month)
	byWeekday := fmt.Sprintf("cron(%s ? %s %s *)", times, month, list(s.Dow, 0, 6, 1)) // Sunday is 1
	switch {
	case s.Dow&anyDay != 0:
		return []string{byDay}, nil
	case s.Dom&anyDay != 0:
		return []string{byWeekday}, nil
	}
	return []string{byDay, byWeekday}, nil
}

// list formats the numbers from first to last whose bits are set, each greater by shift: "*" for all of
// them, else ranges and single numbers.
func list(bits uint64, first, last, shift int) string {
	var parts []string
	for n := first; n <= last; n++ {
		if bits&(1<<n) == 0 {
			continue
		}
		end := n
		for end < last && bits&(1<<(end+1)) != 0 {
			end++
		}
		if n == first && end == last {
			return "*"
		}
		part := strconv.Itoa(n + shift)
		if end > n {
			part += "-" + strconv.Itoa(end+shift)
		}
		parts = append(parts, part)
		n = end
	}
	return strings.Join(parts, ",")
}
