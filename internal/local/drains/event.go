package drains

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// event is a line as senders need it.
type event struct {
	Source     string // app, access, or anchor for what Anchor itself says
	Project    string // slug; "" for none
	Time       time.Time
	Level      string
	Text       string
	Deployment string
	Function   string
	RequestID  string
	TraceID    string
	Attributes map[string]any // the others
	JSON       []byte         // the whole line, with source and project
}

// notice is a line of Anchor itself.
func notice(level, text string) event {
	now := time.Now()
	e := event{Source: "anchor", Time: now, Level: level, Text: text}
	e.JSON, _ = json.Marshal(map[string]any{"source": e.Source, "time": now.UnixMilli(), "level": level, "text": text}) // of texts
	return e
}

// eventsOf reads lines, and adds one that says how many were lost before.
func (o *outlet) eventsOf(ctx context.Context, batch []line, lost int64) []event {
	events := make([]event, 0, len(batch)+1)
	if lost > 0 {
		events = append(events, notice("warn", fmt.Sprintf("%d log lines were dropped, because more than %d KiB waited for this drain", lost, o.service.Buffer>>10)))
	}
	for _, l := range batch {
		if l.source == "access" {
			events = append(events, accessEvent(l.text))
		} else {
			events = append(events, appEvent(l.text, o.slugNow(ctx, l.project)))
		}
	}
	return events
}

// slugNow returns the slug of a project, its id once it was removed.
func (o *outlet) slugNow(ctx context.Context, p anchor.ProjectID) string {
	if o.slug != "" {
		return o.slug
	}
	if slug, known := o.slugs[p]; known {
		return slug
	}
	slug, err := o.service.slugOf(ctx, p)
	if err != nil {
		return string(p)
	}
	o.slugs[p] = slug
	return slug
}

func appEvent(text []byte, slug string) event {
	var l anchor.LogLine
	_ = json.Unmarshal(text, &l) // Line has encoded it
	e := event{
		Source: "app", Project: slug, Time: time.UnixMilli(l.Time), Level: l.Level, Text: l.Text,
		Deployment: string(l.DeploymentID), Function: l.Function, RequestID: l.RequestID, Attributes: l.Fields,
		JSON: fmt.Appendf(nil, `{"source":"app","project":%q,%s`, slug, text[1:]),
	}
	if l.Path != "" {
		e.Attributes = with(e.Attributes, "url.path", l.Path)
	}
	return e
}

func with(all map[string]any, name string, value any) map[string]any {
	if all == nil {
		all = map[string]any{}
	}
	all[name] = value
	return all
}

// accessEvent reads a line of the access log. Attributes have the names of the semantic conventions for HTTP
// (https://opentelemetry.io/docs/specs/semconv/http/http-spans/) where there is one.
func accessEvent(text []byte) event {
	var l struct {
		Time                                             time.Time
		Project, Deployment, Function, Cache, Method     string
		Host, Path, Protocol, Remote, UserAgent, Referer string
		RequestID, TraceID                               string
		Status, Octets                                   int64
		Seconds                                          float64
	}
	_ = json.Unmarshal(text, &l) // the access log has encoded it
	e := event{
		Source: "access", Project: l.Project, Time: l.Time, Level: levelOf(l.Status), Text: fmt.Sprintf("%s %s %d %.1fms", l.Method, l.Path, l.Status, l.Seconds*1000),
		Deployment: l.Deployment, Function: l.Function, RequestID: l.RequestID, TraceID: l.TraceID,
		Attributes: map[string]any{
			"http.request.method": l.Method, "http.response.status_code": l.Status, "http.response.body.size": l.Octets, "url.path": l.Path,
			"server.address": l.Host, "client.address": l.Remote, "user_agent.original": l.UserAgent, "http.request.header.referer": l.Referer,
			"anchor.cache": l.Cache, "anchor.seconds": l.Seconds,
		},
		JSON: append([]byte(`{"source":"access",`), text[1:]...),
	}
	return e
}

// levelOf is the level of a request.
func levelOf(status int64) string {
	switch {
	case status >= 500:
		return "error"
	case status >= 400:
		return "warn"
	}
	return "info"
}
