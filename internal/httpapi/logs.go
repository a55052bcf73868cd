package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/httpapi/wire"
)

func (s *server) logRoutes() {
	op := operation("read-logs", http.MethodGet, "/projects/{projectId}/logs", anchor.ScopeRead, "Read what the app wrote, oldest first", 404)
	op.Description += " With `follow=true` the answer is server-sent events: these lines, then new ones."
	streams(&op)
	orJSON[wire.Items[anchor.LogLine]](s, &op)
	handle(s, op, s.logs)
}

type logsInput struct {
	InProject
	Deployment string `query:"deployment" maxLength:"64" doc:"Only this deployment's"`
	Limit      int    `query:"limit" minimum:"0" maximum:"10000" default:"200" doc:"How many of the last lines"`
	Follow     bool   `query:"follow"`
	After      string `header:"Last-Event-ID" maxLength:"40" doc:"The id of the last event seen, to go on after it while following"`
}

func (s *server) logs(ctx context.Context, in *logsInput) (*huma.StreamResponse, error) {
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
		return s.tail(ctx, tail, p.ID, in)
	}
	// Following begins before reading, so that no line falls between the two.
	var following iter.Seq2[anchor.LogLine, error]
	if in.Follow {
		following = s.Logs.Follow(ctx, p.ID, d)
	}
	lines, err := s.Logs.Read(ctx, p.ID, d, in.Limit)
	if err != nil {
		return nil, err
	}
	if in.Follow {
		return sse(s, chain(lines, following), func(anchor.LogLine) (string, string) { return "", "line" }), nil
	}
	return jsonStream(wire.Items[anchor.LogLine]{Items: append([]anchor.LogLine{}, lines...)})
}

func chain[T any](first []T, rest iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range first {
			if !yield(item, nil) {
				return
			}
		}
		rest(yield)
	}
}

// jsonStream answers with JSON where the route's other answer is a stream.
func jsonStream(v any) (*huma.StreamResponse, error) {
	var encoded bytes.Buffer
	if err := json.NewEncoder(&encoded).Encode(v); err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", "application/json")
		hc.SetStatus(http.StatusOK)
		_, _ = hc.BodyWriter().Write(encoded.Bytes()) // a client that is gone cannot be told
	}}, nil
}
