package edge

import (
	"log/slog"
	"time"
)

// Kind says what answered a request.
type Kind string

// What can answer a request.
const (
	Refused  Kind = "refused"  // the edge itself
	Static   Kind = "static"   // a file
	Function Kind = "function" // a function, or the middleware before it
)

// Record is one line of the access log.
type Record struct {
	Time      time.Time
	Duration  time.Duration
	Site      *Site // nil when no site was found
	Kind      Kind
	Method    string
	Host      string
	URI       string
	Peer      string // address and port of the other end of the connection
	Status    int    // 0 when the request was aborted before any answer
	Bytes     int64  // of the body
	Aborted   bool   // the handler panicked, http.ErrAbortHandler among others: the client saw a broken response
	RequestID string
}

// The methods below do nothing on a nil Record: nobody observes.

func (r *Record) id() string {
	if r == nil {
		return ""
	}
	return r.RequestID
}

func (r *Record) of(site *Site) {
	if r != nil {
		r.Site = site
	}
}

func (r *Record) kind(k Kind) {
	if r != nil {
		r.Kind = k
	}
}

func (r *Record) close(res *response, finished bool) {
	r.Duration = time.Since(r.Time)
	r.Status, r.Bytes, r.Aborted = res.status, res.bytes, !finished
	if r.Kind == "" {
		r.Kind = Refused
	}
}

const levelError = slog.LevelError

func attrError(err error) slog.Attr { return slog.Any("error", err) }

func attrSite(s *Site) slog.Attr {
	if s == nil {
		return slog.String("site", "")
	}
	return slog.String("site", s.ID)
}
