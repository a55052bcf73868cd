package schedule_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/schedule"
)

func TestExpressions(t *testing.T) {
	for of, want := range map[string]string{
		"* * * * *":              "cron(* * * * ? *)",
		"0 5 * * *":              "cron(0 5 * * ? *)",
		"*/15 9-17 * * 1-5":      "cron(0,15,30,45 9-17 ? * 2-6 *)",
		"0 0 1 * *":              "cron(0 0 1 * ? *)",
		"0 0 * * 0":              "cron(0 0 ? * 1 *)",
		"30 4 1,15 * 5":          "cron(30 4 1,15 * ? *) cron(30 4 ? * 6 *)",
		"0 12 * JAN,MAR-MAY SAT": "cron(0 12 ? 1,3-5 7 *)",
		"0 0 */2 * *":            "cron(0 0 1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31 * ? *)",
		"5/20 * ? * ?":           "cron(5,25,45 * * * ? *)",
	} {
		got, err := schedule.Expressions(of)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q is %q (%v), want %q", of, got, err, want)
		}
	}
	if got, err := schedule.Expressions("every day"); err == nil {
		t.Errorf("a text that is not a schedule is %v", got)
	}
}

// The expressions name exactly the minutes of the schedule.
func TestExpressions_NameTheSameTimes(t *testing.T) {
	begin := time.Date(2028, 1, 20, 0, 0, 0, 0, time.UTC)
	end := begin.AddDate(0, 3, 0) // over a 29th of February
	for _, of := range []string{"7 */5 * * *", "0 0 29 2 *", "30 6 13 * 5", "0 9 * * 1-5", "59 23 31 * 0,3", "15 3 */10 2-3 *"} {
		expressions, err := schedule.Expressions(of)
		if err != nil {
			t.Fatal(err)
		}
		c := anchor.Cron{Path: "/", Schedule: of}
		for next, at := c.Next(begin.Add(-time.Second)), begin; at.Before(end); at = at.Add(time.Minute) {
			named := slices.ContainsFunc(expressions, func(e string) bool { return names(t, e, at) })
			if due := at.Equal(next); due != named {
				t.Fatalf("%q at %v is due: %v; %v say %v", of, at, due, expressions, named)
			}
			if at.Equal(next) {
				next = c.Next(at)
			}
		}
	}
}

// names evaluates an expression of EventBridge Scheduler that has lists of numbers and ranges only.
func names(t *testing.T, expression string, at time.Time) bool {
	t.Helper()
	fields := strings.Fields(strings.TrimSuffix(strings.TrimPrefix(expression, "cron("), ")"))
	if len(fields) != 6 || (fields[2] == "?") == (fields[4] == "?") || fields[5] != "*" {
		t.Fatalf("EventBridge refuses %q", expression)
	}
	for i, value := range []int{at.Minute(), at.Hour(), at.Day(), int(at.Month()), int(at.Weekday()) + 1} {
		if !slices.ContainsFunc(strings.Split(fields[i], ","), func(part string) bool { return covers(t, part, value) }) {
			return false
		}
	}
	return true
}

func covers(t *testing.T, part string, value int) bool {
	t.Helper()
	if part == "*" || part == "?" {
		return true
	}
	from, to, isRange := strings.Cut(part, "-")
	if !isRange {
		to = from
	}
	first, err := strconv.Atoi(from)
	if err != nil {
		t.Fatal(err)
	}
	last, err := strconv.Atoi(to)
	if err != nil {
		t.Fatal(err)
	}
	return first <= value && value <= last
}
