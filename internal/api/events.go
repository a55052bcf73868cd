package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *server) eventRoutes(deployment string) {
	op := newOperation("watch-deployment", http.MethodGet, deployment+"/events", anchor.ScopeRead,
		"Follow a deployment as server-sent events", 404)
	op.Description += " Sends all past events, or those after `Last-Event-ID`, and then new ones. " +
		"The stream is complete only if it ends with an event named `done`; after one named `more`, request the rest."
	documentStream(&op)
	handleRoute(s, op, s.watchDeployment)
}

type watchInput struct {
	InDeployment
	LastEventID string `header:"Last-Event-ID" maxLength:"20" doc:"Id of the last event received"`
	Follow      bool   `query:"follow" default:"true" doc:"Whether new events follow the past ones"`
}

func (s *server) watchDeployment(ctx context.Context, in *watchInput) (*huma.StreamResponse, error) {
	after, err := lastEvent(in.LastEventID)
	if err != nil {
		return nil, err
	}
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	if !in.Follow {
		past, err := s.Deploys.Events(ctx, p.ID, anchor.DeploymentID(in.DeploymentID), after)
		if err != nil {
			return nil, err
		}
		return streamEvents(s, seqOf(past), labelEvent), nil
	}
	// The stream outlives the handler's return but not its request, whose context this is.
	events, err := s.Deploys.Watch(ctx, p.ID, anchor.DeploymentID(in.DeploymentID), after)
	if err != nil {
		return nil, err
	}
	return streamEvents(s, events, labelEvent), nil
}

func labelEvent(e anchor.Event) (id, name string) {
	return strconv.FormatInt(e.Seq, 10), string(e.Phase)
}

func lastEvent(id string) (int64, error) {
	if id == "" {
		return 0, nil
	}
	after, err := strconv.ParseInt(id, 10, 64)
	if err != nil || after < 0 {
		return 0, anchor.Invalid("bad_last_event_id", "Last-Event-ID is %q, which is not an event id", id).
			Hintf("Send the id of the last event received, or omit the header.")
	}
	return after, nil
}

// streamEvents answers with items as server-sent events (HTML Living Standard, §9.2), a
// "done" when they end by themselves, a "more" when the answer is over before they
// are, and an "error" when they break.
func streamEvents[T any](s *server, items iter.Seq2[T, error], label func(T) (id, name string)) *huma.StreamResponse {
	return sseFrom(s, items, label, func() string { return "" })
}

// sseFrom is sse whose "more" carries where to continue.
func sseFrom[T any](s *server, items iter.Seq2[T, error], label func(T) (id, name string), after func() string) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		_, w := humago.Unwrap(hc)
		out := &eventWriter{w: w, control: http.NewResponseController(w)}
		out.beginStream()
		pace, stop := s.newPace()
		defer stop()
		err := pumpEvents(hc.Context(), items, pace, out, label)
		switch {
		case hc.Context().Err() != nil:
		case errors.Is(err, errMore):
			out.writeEvent(after(), wire.EventMore, struct{}{})
		case err != nil:
			out.writeEvent("", wire.EventError, problemOf(hc.Context(), s.Log, err).Problem)
		default:
			out.writeEvent("", wire.EventEnd, struct{}{})
		}
	}}
}

type result[T any] struct {
	item T
	err  error
}

// pace is how an event stream runs.
type pace struct {
	beat time.Duration // between comments
	end  <-chan time.Time
	soon func() // makes end come soon
}

// gather is how long an answer with a WatchFor waits for more once something came.
const gather = 250 * time.Millisecond

func (s *server) newPace() (p pace, stop func()) {
	if s.WatchFor == 0 {
		return pace{beat: s.Heartbeat, soon: func() {}}, func() {}
	}
	over, timer := time.Now().Add(s.WatchFor), time.NewTimer(s.WatchFor)
	soon := func() { timer.Reset(min(gather, time.Until(over))) }
	return pace{beat: s.Heartbeat, end: timer.C, soon: soon}, func() { timer.Stop() }
}

// errMore ends an answer before its stream.
var errMore = errors.New("the answer ends here, the stream does not")

// pumpEvents writes items as they come and a comment whenever none came for a while, so
// that proxies keep the connection and a dead client is noticed.
func pumpEvents[T any](ctx context.Context, items iter.Seq2[T, error], p pace, out *eventWriter, label func(T) (string, string)) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	results := make(chan result[T])
	go func() {
		defer close(results)
		for item, err := range items {
			select {
			case results <- result[T]{item, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	beat := time.NewTicker(p.beat)
	defer beat.Stop()
	for {
		select {
		case r, ok := <-results:
			if !ok || r.err != nil {
				return r.err
			}
			id, name := label(r.item)
			out.writeEvent(id, name, r.item)
			p.soon()
		case <-p.end:
			return errMore
		case <-beat.C:
			out.writeComment("still here")
		case <-ctx.Done():
			return ctx.Err()
		}
		if out.err != nil {
			return out.err
		}
	}
}

// eventWriter writes one event at a time and flushes it. The first error sticks.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	err     error
}

func (e *eventWriter) beginStream() {
	e.w.Header().Set("Content-Type", eventStream)
	e.w.Header().Set("X-Accel-Buffering", "no") // nginx would hold events back
	e.w.WriteHeader(http.StatusOK)
	e.writeComment("anchor")
}

func (e *eventWriter) writeEvent(id, name string, data any) {
	encoded, err := json.Marshal(data)
	if err != nil {
		e.err = fmt.Errorf("encode an event: %w", err)
		return
	}
	if id != "" {
		e.writeText("id: %s\n", id)
	}
	e.writeText("event: %s\ndata: %s\n\n", name, encoded)
	e.flushNow()
}

func (e *eventWriter) writeComment(text string) {
	e.writeText(": %s\n\n", text)
	e.flushNow()
}

func (e *eventWriter) writeText(format string, args ...any) {
	if e.err == nil {
		_, e.err = fmt.Fprintf(e.w, format, args...)
	}
}

func (e *eventWriter) flushNow() {
	if e.err == nil {
		e.err = e.control.Flush()
	}
}
