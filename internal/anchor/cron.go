package anchor

import (
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Cron is a path of an app that is requested on a schedule.
type Cron struct {
	Path     string `json:"path" example:"/api/cron/digest" doc:"Path of the app, with a query if it has one"`
	Schedule string `json:"schedule" example:"0 5 * * *" doc:"Minute, hour, day of the month, month and day of the week, in UTC"`
}

// MaxCrons is how many crons a deployment may have.
const MaxCrons = 100

// fiveFields reads the schedules of crontab(5): five fields, no seconds and no nicknames.
var fiveFields = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// CheckCrons refuses crons that cannot run, and two that are equal.
func CheckCrons(crons []Cron) error {
	if len(crons) > MaxCrons {
		return Invalid("bad_cron", "there are %d crons; a deployment may have %d", len(crons), MaxCrons).
			Hintf("Let one path do the work of several.")
	}
	seen := map[Cron]bool{}
	for _, c := range crons {
		switch {
		case !strings.HasPrefix(c.Path, "/") || strings.HasPrefix(c.Path, "//") || len(c.Path) > 512 ||
			strings.ContainsFunc(c.Path, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' }):
			return Invalid("bad_cron", "%q cannot be the path of a cron", c.Path).
				Hintf("Use a path of the app that begins with a slash, at most 512 characters, with other characters than those of URLs encoded.")
		case seen[c]:
			return Invalid("bad_cron", "the cron %s with the schedule %q is there twice", c.Path, c.Schedule).Hintf("Remove one of them.")
		}
		seen[c] = true
		if err := checkSchedule(c); err != nil {
			return err
		}
	}
	return nil
}

func checkSchedule(c Cron) error {
	const hint = "Use five fields: minute, hour, day of the month, month, day of the week (0 to 6, Sunday is 0), such as \"0 5 * * *\". Times are in UTC."
	// The parser takes a time zone before the fields, and fails badly on a broken one.
	if strings.Contains(c.Schedule, "=") || len(c.Schedule) > 256 {
		return Invalid("bad_cron", "%q cannot be the schedule of the cron %s", c.Schedule, c.Path).Hintf(hint)
	}
	schedule, err := fiveFields.Parse(c.Schedule)
	if err != nil {
		return Invalid("bad_cron", "%q cannot be the schedule of the cron %s", c.Schedule, c.Path).Hintf(hint).Because(err)
	}
	if schedule.Next(time.Unix(0, 0).UTC()).IsZero() {
		return Invalid("bad_cron", "the schedule %q of the cron %s names a day that does not exist", c.Schedule, c.Path).
			Hintf("Choose a day that the month has.")
	}
	return nil
}

// Next returns the first time after t at which the cron is due. It returns the zero time for a cron
// that CheckCrons refuses.
func (c Cron) Next(t time.Time) time.Time {
	schedule, err := fiveFields.Parse(c.Schedule)
	if err != nil {
		return time.Time{}
	}
	return schedule.Next(t.UTC())
}

// CronState is a cron of the live deployment and what is known of its runs.
type CronState struct {
	Cron
	Paused  bool     `json:"paused" doc:"It is not run on its schedule"`
	NextAt  int64    `json:"nextAt,omitempty" doc:"When it is due next; absent while it is paused"`
	LastRun *CronRun `json:"lastRun,omitempty" doc:"The newest run, on any schedule"`
}

// CronRun is one run of a cron, or runs that did not happen. Times are Unix milliseconds.
type CronRun struct {
	ID           string       `json:"runId"`
	ProjectID    ProjectID    `json:"projectId"`
	Path         string       `json:"path"`
	Schedule     string       `json:"schedule,omitempty" doc:"Absent for a run that somebody asked for"`
	DeploymentID DeploymentID `json:"deploymentId,omitempty" doc:"The deployment that was asked"`
	DueAt        int64        `json:"dueAt"`
	StartedAt    int64        `json:"startedAt,omitempty"`
	EndedAt      int64        `json:"endedAt,omitempty"`
	Status       CronStatus   `json:"status" enum:"running,succeeded,failed,interrupted,skipped,missed"`
	HTTPStatus   int          `json:"httpStatus,omitempty" doc:"What the path answered"`
	Message      string       `json:"message,omitempty" doc:"Why it failed or did not run"`
	Count        int64        `json:"count,omitempty" doc:"Of missed runs: how many were due since dueAt"`
}

// CronStatus is how a run of a cron ended.
type CronStatus string

// The statuses of a CronRun.
const (
	CronRunning     CronStatus = "running"
	CronSucceeded   CronStatus = "succeeded"   // the path answered 2xx
	CronFailed      CronStatus = "failed"      // it answered anything else, or nothing in time
	CronInterrupted CronStatus = "interrupted" // the server stopped while it ran; it is not repeated
	CronSkipped     CronStatus = "skipped"     // the run before had not ended
	CronMissed      CronStatus = "missed"      // the server did not run when it was due
)
