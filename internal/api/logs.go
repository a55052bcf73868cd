package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *server) logRoutes() {
	op := newOperation("read-logs", http.MethodGet, "/projects/{projectId}/logs", anchor.ScopeRead, "Read the app's log, oldest line first", 404)
	op.Description += " Lines must match all parameters. With `follow=true` the response is a stream of server-sent events: these lines, then new ones."
	documentStream(&op)
	orJSON[wire.Items[anchor.LogLine]](s, &op)
	handleRoute(s, op, s.streamLogs)
}

type logsInput struct {
	InProject
	LogParameters
	Limit  int    `query:"limit" minimum:"0" maximum:"10000" default:"200" doc:"Number of lines, counted from the newest"`
	Follow bool   `query:"follow"`
	After  string `header:"Last-Event-ID" maxLength:"40" doc:"Id of the last event received; following continues after it"`
}

// LogParameters are an anchor.LogFilter as parameters of a request.
type LogParameters struct {
	Deployment string `query:"deployment" maxLength:"64" doc:"Only lines of this deployment"`
	Function   string `query:"function" maxLength:"64" doc:"Only lines of this function"`
	RequestID  string `query:"requestId" maxLength:"128" doc:"Only lines of the request with this X-Request-Id"`
	Path       string `query:"path" maxLength:"2048" doc:"Only lines of requests for this path"`
	Level      string `query:"level" maxLength:"16" doc:"Only lines of this level (debug, info, warn, error) or a more important one"`
	Search     string `query:"search" maxLength:"256" doc:"Only lines with this text, in upper or lower case"`
	Since      int64  `query:"since" minimum:"0" doc:"Only lines from this time on, in Unix milliseconds"`
	Until      int64  `query:"until" minimum:"0" doc:"Only lines before this time, in Unix milliseconds"`
}

func (f LogParameters) filter() (anchor.LogFilter, error) {
	filter := anchor.LogFilter{
		Deployment: anchor.DeploymentID(f.Deployment), Function: f.Function, RequestID: f.RequestID, Path: f.Path,
		Level: f.Level, Text: f.Search, Since: f.Since, Until: f.Until,
	}
	return filter, filter.Check()
}

func (s *server) streamLogs(ctx context.Context, in *logsInput) (*huma.StreamResponse, error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	filter, err := in.filter()
	if err != nil {
		return nil, err
	}
	if filter.Deployment != "" {
		if _, err := s.Deploys.Get(ctx, p.ID, filter.Deployment); err != nil {
			return nil, err
		}
	}
	if tail, ok := s.Logs.(Tail); ok && in.Follow && s.WatchFor > 0 {
		return s.tailLogs(ctx, tail, p.ID, filter, in)
	}
	// Following begins before reading, so that no line falls between the two.
	var following iter.Seq2[anchor.LogLine, error]
	if in.Follow {
		following = s.Logs.Follow(ctx, p.ID, filter)
	}
	lines := s.Logs.Last(ctx, p.ID, filter, in.Limit)
	if in.Follow {
		return streamEvents(s, chainSeqs(lines, following), func(anchor.LogLine) (string, string) { return "", "line" }), nil
	}
	return jsonItems(lines)
}

// chainSeqs yields first to its end, then rest, and stops at an error.
func chainSeqs[T any](first, rest iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for item, err := range first {
			if !yield(item, err) || err != nil {
				return
			}
		}
		rest(yield)
	}
}

// jsonItems answers with a wire.Items as JSON, an item at a time, where the route's other
// answer is a stream. An error before the first item is returned; after it, the connection is
// cut, as the status was sent.
func jsonItems[T any](items iter.Seq2[T, error]) (*huma.StreamResponse, error) {
	next, stop := iter.Pull2(items)
	item, err, more := next()
	if err != nil {
		stop()
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer stop()
		hc.SetHeader("Content-Type", "application/json")
		hc.SetStatus(http.StatusOK)
		out := bufio.NewWriterSize(hc.BodyWriter(), 32<<10)
		_, _ = out.WriteString(`{"items":[`)
		for separator := ""; more; item, err, more = next() {
			encoded, encoding := json.Marshal(item)
			if err := errors.Join(err, encoding); err != nil {
				panic(http.ErrAbortHandler)
			}
			_, _ = out.WriteString(separator)
			if _, err := out.Write(encoded); err != nil {
				return // the client is gone
			}
			separator = ","
		}
		_, _ = out.WriteString("]}\n")
		_ = out.Flush() // the client may be gone
	}}, nil
}
