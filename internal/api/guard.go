package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

type requestKey struct{}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// guardRoutes names every request, turns panics into problems and answers what no route
// takes.
func (s *server) guardRoutes(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := anchor.NewID()
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, id))
		w.Header().Set("X-Request-Id", id)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		sent := &sentWriter{ResponseWriter: w, stall: s.Stall}
		sent.extendDeadline() // the deadline of the request before may still be set
		defer s.answerPanic(sent, r)
		if p := s.checkHost(r); p != nil {
			writeProblem(sent, p)
			return
		}
		if h, pattern := mux.Handler(r); pattern == "" {
			writeProblem(sent, unroutedProblem(h, r))
			return
		}
		if strings.HasPrefix(r.URL.Path, gitRoot) || isPage(r.URL.Path) { // their bodies are not JSON
			mux.ServeHTTP(sent, r)
			return
		}
		if p := inflateBody(sent, r); p != nil {
			writeProblem(sent, p)
			return
		}
		mux.ServeHTTP(sent, r)
	})
}

func (s *server) answerPanic(w *sentWriter, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(v)
	}
	s.Log.ErrorContext(r.Context(), "panic while answering", "requestId", requestID(r.Context()),
		"method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	if w.sent {
		panic(http.ErrAbortHandler) // the only way left to tell the client
	}
	p := newProblem(http.StatusInternalServerError, "internal", "an internal error occurred",
		"Search the server's log for the request id.")
	p.RequestID = requestID(r.Context())
	writeProblem(w, p)
}

// unroutedProblem reports, by the answer that ServeMux would send, whether the path or the method is
// unknown.
func unroutedProblem(h http.Handler, r *http.Request) *problem {
	refused := refusal{header: http.Header{}}
	h.ServeHTTP(&refused, r)
	if refused.status == http.StatusMethodNotAllowed {
		p := newProblem(refused.status, "method_not_allowed",
			fmt.Sprintf("%s does not support the method %s", r.URL.Path, r.Method), "Use "+refused.header.Get("Allow")+".")
		p.header = http.Header{"Allow": refused.header["Allow"]}
		return p
	}
	return newProblem(http.StatusNotFound, "no_such_route", "the API has no path "+r.URL.Path, "See /openapi.json.")
}

// refusal catches the answer of ServeMux's own handlers.
type refusal struct {
	header http.Header
	status int
}

func (r *refusal) Header() http.Header         { return r.header }
func (r *refusal) Write(b []byte) (int, error) { return len(b), nil }
func (r *refusal) WriteHeader(status int)      { r.status = status }

// sentWriter records whether an answer has begun, and disconnects a client that reads nothing
// of it for the time stall.
type sentWriter struct {
	http.ResponseWriter
	stall time.Duration
	sent  bool
}

// piece is how much a client has to take within the time stall.
const piece = 64 << 10

func (w *sentWriter) WriteHeader(status int) {
	w.sent = true
	w.extendDeadline()
	w.ResponseWriter.WriteHeader(status)
}

func (w *sentWriter) Write(b []byte) (written int, err error) {
	w.sent = true
	for {
		w.extendDeadline()
		n, err := w.ResponseWriter.Write(b[:min(piece, len(b))])
		written += n
		if b = b[n:]; err != nil || len(b) == 0 {
			return written, err
		}
	}
}

// extendDeadline moves the deadline of writes. Not every writer has one (HTTP/2 in tests).
func (w *sentWriter) extendDeadline() {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.stall))
}

// Unwrap lets http.ResponseController reach deadlines and Flush.
func (w *sentWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
