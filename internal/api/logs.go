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
	op.Description += " With `follow=true` the response is a stream of server-sent events: these lines, then new ones."
	documentStream(&op)
	orJSON[wire.Items[anchor.LogLine]](s, &op)
	handleRoute(s, op, s.streamLogs)
}

type logsInput struct {
	InProject
	Deployment string `query:"deployment" maxLength:"64" doc:"Only lines of this deployment"`
	Limit      int    `query:"limit" minimum:"0" maximum:"10000" default:"200" doc:"Number of lines, counted from the newest"`
	Follow     bool   `query:"follow"`
	After      string `header:"Last-Event-ID" maxLength:"40" doc:"Id of the last event received; following continues after it"`
}

func (s *server) streamLogs(ctx context.Context, in *logsInput) (*huma.StreamResponse, error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	d := anchor.DeploymentID(in.Deployment)
	if d != "" {
		if _, err := s.Deploys.Get(ctx, p.ID, d); err != nil {
			return nil, err
		}
	}
	if tail, ok := s.Logs.(Tail); ok && in.Follow && s.WatchFor > 0 {
		return s.tailLogs(ctx, tail, p.ID, in)
	}
	// Following begins before reading, so that no line falls between the two.
	var following iter.Seq2[anchor.LogLine, error]
	if in.Follow {
		following = s.Logs.Follow(ctx, p.ID, d)
	}
	lines := s.Logs.Last(ctx, p.ID, d, in.Limit)
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
