package dashboard

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}

// machineTime is the datetime attribute of a time element.
func machineTime(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

// clock is a time in the zone of the server, with the zone.
func clock(ms int64) string { return time.UnixMilli(ms).Format("2006-01-02 15:04 MST") }

func ago(ms int64) string {
	d := time.Since(time.UnixMilli(ms))
	switch {
	case d < 0:
		return "in " + span(-d)
	case d < 5*time.Second:
		return "now"
	}
	return span(d) + " ago"
}

// span is a duration in its largest unit.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

func took(ms int64) string {
	if ms < 1000 {
		return fmt.Sprintf("%d ms", ms)
	}
	return fmt.Sprintf("%.1f s", float64(ms)/1000)
}

func size(bytes int64) string {
	switch {
	case bytes < 1000:
		return fmt.Sprintf("%d B", bytes)
	case bytes < 1e6:
		return fmt.Sprintf("%.0f kB", float64(bytes)/1e3)
	case bytes < 1e9:
		return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(bytes)/1e9)
}

// count is a number with thin groups of three digits.
func count(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "\u202f" + text[i:]
	}
	return text
}

// number is a number without groups, for fields, paths and small figures.
func number(n int64) string { return strconv.FormatInt(n, 10) }

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

func millis(ms float64) string {
	switch {
	case ms == 0:
		return "–"
	case ms < 10:
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", ms)
}

func percent(share float64) string {
	if share > 0 && share < 0.001 {
		return "< 0.1 %"
	}
	return fmt.Sprintf("%.1f %%", share*100)
}

func ratio(r *float64) string {
	if r == nil {
		return "–"
	}
	return percent(*r)
}

// shortID is the end of an id, which differs between ids that were made at one time.
func shortID(id anchor.DeploymentID) string {
	if len(id) > 8 {
		return string(id[len(id)-8:])
	}
	return string(id)
}

func shortCommit(sha string) string { return sha[:min(len(sha), 7)] }

// firstLine is the subject of a commit message, cut to what fits in a table.
func firstLine(message string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	if runes := []rune(line); len(runes) > 100 {
		line = string(runes[:99]) + "…"
	}
	return line
}

// tone is the class of a status; its text is stateText.
func tone(d anchor.Deployment, live bool) string {
	switch {
	case live:
		return "good"
	case d.Status == anchor.BuildFailed || d.Status == anchor.DeployFailed:
		return "bad"
	case !d.Status.Ended():
		return "busy"
	}
	return "calm"
}

func stateText(d anchor.Deployment, live bool) string {
	switch {
	case live:
		return "Live"
	case d.IsRollback && d.Status == anchor.Deployed:
		return "Rollback"
	case d.PrunedAt != 0:
		return "Removed"
	}
	switch d.Status {
	case anchor.Queued:
		return "Queued"
	case anchor.Building:
		return "Building"
	case anchor.Built:
		return "Waiting"
	case anchor.Deploying:
		return "Deploying"
	case anchor.Deployed:
		return "Ready"
	case anchor.BuildFailed:
		return "Build failed"
	case anchor.DeployFailed:
		return "Deploy failed"
	case anchor.Canceled:
		return "Canceled"
	case anchor.Superseded:
		return "Superseded"
	}
	return string(d.Status)
}

// sparkline returns the points of a polyline in a box of 120 by 28, and the sums.
func sparkline(points []wire.SeriesPoint) (line string, requests, errors int64) {
	var most int64 = 1
	for _, p := range points {
		requests, errors, most = requests+p.Requests, errors+p.Errors, max(most, p.Requests)
	}
	if len(points) < 2 {
		return "", requests, errors
	}
	var b strings.Builder
	for i, p := range points {
		x := float64(i) * 120 / float64(len(points)-1)
		fmt.Fprintf(&b, "%.1f,%.1f ", x, 26-24*float64(p.Requests)/float64(most))
	}
	return strings.TrimSpace(b.String()), requests, errors
}

func roleText(r anchor.Role) string {
	if r == "" {
		return "no role in all projects"
	}
	return string(r)
}

// bytesAsMiB and thousandths fill the form of the limits; "" means no limit.
func bytesAsMiB(n int64) string { return numberOrNone(float64(n) / (1 << 20)) }

func thousandths(n int64) string { return numberOrNone(float64(n) / 1000) }

func numberOrNone(n float64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}

func orDash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}

// levelClass is the class of a line; the level is the app's text.
func levelClass(level string) string {
	switch level {
	case "error", "warn", "debug":
		return level
	}
	return "info"
}

// clockOf is the time of day, of the server.
func clockOf(ms int64) string { return time.UnixMilli(ms).Format("15:04:05.000") }

func olderAudit(entries []anchor.AuditEntry, project, actor string) string {
	last := entries[len(entries)-1].Seq
	return address("audit") + "?" + url.Values{"project": {project}, "actor": {actor}, "before": {strconv.FormatInt(last, 10)}}.Encode()
}

// sentence makes words of a name of the API: "no_such_domain" is "No such domain".
func sentence(name string) string {
	if name == "" {
		return name
	}
	return strings.ToUpper(name[:1]) + strings.ReplaceAll(name[1:], "_", " ")
}
