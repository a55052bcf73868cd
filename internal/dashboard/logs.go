package dashboard

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (d *Dashboard) logRoutes(mux *routes) {
	const all = root + "/projects/{project}/logs"
	mux.HandleFunc("GET "+all, d.page(inProject(showLogs)))
	mux.HandleFunc("GET "+all+"/tail", d.streamLogs)
}

// logSearch is what selects lines, as the address of the page has it.
type logSearch struct{ Text, Level, Last, Deployment, Path, Request string }

// logTimes are how far back a search can reach.
var logTimes = []struct {
	Name, Text string
	Last       time.Duration
}{{"", "newest lines", 0}, {"15m", "15 minutes", 15 * time.Minute}, {"1h", "1 hour", time.Hour}, {"24h", "24 hours", 24 * time.Hour}, {"7d", "7 days", 7 * 24 * time.Hour}}

// logLevels are the values of the filter for levels.
var logLevels = []struct{ Name, Text string }{
	{"", "all"}, {"info", "info and above"}, {"warn", "warnings and errors"}, {"error", "errors"},
}

func searchOf(q url.Values) logSearch {
	return logSearch{
		Text: strings.TrimSpace(q.Get("q")), Level: q.Get("level"), Last: q.Get("last"),
		Deployment: q.Get("deployment"), Path: q.Get("path"), Request: q.Get("request"),
	}
}

func (s logSearch) query() string {
	q := url.Values{}
	for name, value := range map[string]string{"q": s.Text, "level": s.Level, "last": s.Last, "deployment": s.Deployment, "path": s.Path, "request": s.Request} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

func (s logSearch) filter(now time.Time) anchor.LogFilter {
	f := anchor.LogFilter{Deployment: anchor.DeploymentID(s.Deployment), RequestID: s.Request, Path: s.Path, Level: s.Level, Text: s.Text}
	for _, one := range logTimes {
		if one.Name == s.Last && one.Last > 0 {
			f.Since = now.Add(-one.Last).UnixMilli()
		}
	}
	return f
}

func showLogs(r request, p wire.Project) (view, error) {
	return view{Title: "Logs of " + p.Slug, Section: "logs", Project: &p, Rest: logPage(p, searchOf(r.URL.Query()))}, nil
}

// newestLines is how many lines a page of logs begins with; a page that reaches back has more.
const newestLines, mostLines = 200, 2000

func (d *Dashboard) streamLogs(w http.ResponseWriter, r *http.Request) {
	in, ok := d.enter(w, r)
	if !ok {
		return
	}
	ctx, stop := d.whileSignedIn(in)
	defer stop()
	filter, lines := searchOf(r.URL.Query()).filter(time.Now()), newestLines
	if filter.Since > 0 {
		lines = mostLines
	}
	d.streamLines(w, in, in.api.FollowLogs(ctx, r.PathValue("project"), filter, lines))
}

func (d *Dashboard) streamBuildLog(w http.ResponseWriter, r *http.Request) {
	if in, ok := d.enter(w, r); ok {
		ctx, stop := d.whileSignedIn(in)
		defer stop()
		d.streamLines(w, in, in.api.FollowBuildLog(ctx, r.PathValue("project"), anchor.DeploymentID(r.PathValue("deployment"))))
	}
}

// whileSignedIn returns a context that ends with the request, and soon after the session has ended or the person may not
// see the project any more: a stream of lines is authorized when it begins.
func (d *Dashboard) whileSignedIn(in request) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(in.Context())
	go func() {
		tick := time.NewTicker(d.Refresh)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			_, err := in.project()
			if err != nil && slices.Contains([]anchor.Kind{anchor.KindUnauthorized, anchor.KindForbidden, anchor.KindNotFound}, anchor.KindOf(err)) {
				stop()
				return
			}
		}
	}()
	return ctx, stop
}

// streamLines sends log lines as server-sent events until they end.
func (d *Dashboard) streamLines(w http.ResponseWriter, in request, lines iter.Seq2[anchor.LogLine, error]) {
	out := beginStream(w)
	out.comment()
	for line, err := range lines {
		if err != nil {
			if !errors.Is(err, context.Canceled) { // which is one of a client that is gone, or of a session that has ended
				out.send("problem", describeProblem(err).Message)
			}
			break
		}
		html, err := htmlOf(in.Context(), logLine(line))
		if err != nil {
			return
		}
		if out.send("line", html); out.err != nil {
			return
		}
	}
	out.send("end", "")
}
