package edge

import (
	"io"
	"net/http"
	"strings"
	"time"

	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/anchor-deploy/anchor/internal/local/edge/accesslog"
	"github.com/anchor-deploy/anchor/internal/local/edge/meter"
)

// measured is a request that net/http passes on, from its beginning to the end of its answer. It
// counts what is sent. Requests of Anchor itself (Dispatch) have none: a nil *measured records
// nothing.
type measured struct {
	http.ResponseWriter
	edge  *Edge
	r     *http.Request // as it came
	began time.Time
	took  time.Duration // 0 until the handler has returned

	status int // 0 until the final header
	octets int64

	site      *Site
	split     *splitAnswer // where chance chose the site; nil elsewhere
	file      bool         // the edge looked for a static file
	res       *response    // of a function; nil for none
	refused   bool         // the answer is a refusal
	requestID string
	traceID   string
	span      oteltrace.Span // nil without a Tracer
}

func (e *Edge) beginMeasure(w http.ResponseWriter, r *http.Request) *measured {
	return &measured{ResponseWriter: w, edge: e, r: r, began: time.Now()}
}

// measuredOf returns what measures the request that w answers; nil for none.
func measuredOf(w http.ResponseWriter) *measured {
	for {
		if m, ok := w.(*measured); ok {
			return m
		}
		inner, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return nil
		}
		w = inner.Unwrap()
	}
}

func (m *measured) setSite(s *Site, split *splitAnswer) {
	if m != nil {
		m.site, m.split = s, split
	}
}

// setFile records that the edge looked for a static file.
func (m *measured) setFile() {
	if m != nil {
		m.file = true
	}
}

// setFunction records what a function sees of a request and where its answer goes.
func (m *measured) setFunction(res *response, id, traceID string, span oteltrace.Span) {
	if m != nil {
		m.res, m.requestID, m.traceID, m.span = res, id, traceID, span
		res.measured = m
	}
}

// setRefusal counts a refusal.
func (m *measured) setRefusal(no *refusal, id string) {
	if m != nil {
		m.refused, m.requestID = true, id
		m.edge.meters.countRefusal(no)
	}
}

// handlerReturned ends the time of a request. It is not called if the handler panics.
func (m *measured) handlerReturned() { m.took = time.Since(m.began) }

// end counts the request, and writes its line to the access log.
func (m *measured) end() {
	cut := m.took == 0
	if cut {
		m.took = time.Since(m.began)
	}
	switch {
	case m.status == 0 && cut:
		m.status = statusClientLeft
	case m.status == 0:
		m.status = http.StatusOK
	}
	if m.r.Method == http.MethodHead {
		m.octets = 0
	}
	if cut && m.site != nil && m.res != nil && m.status < 500 && m.r.Context().Err() == nil { // the client has not left
		m.site.brokenOff.Add(1)
	}
	function, outcome := m.answeredBy()
	m.edge.meters.of(m.site).Cell(function, outcome, m.status).Add(1, m.octets, m.took)
	m.endSpan(function, outcome)
	if log := m.edge.cfg.AccessLog; log.Takes() {
		m.logTo(log, function, outcome, cut)
	}
}

// statusClientLeft is counted and logged when a client goes before there is a status (nginx's 499).
const statusClientLeft = 499

// answeredBy returns the function that answered, "" for none.
func (m *measured) answeredBy() (function string, o meter.Outcome) {
	switch {
	case m.refused:
		return "", meter.Edge
	case m.res != nil && m.res.function != nil:
		o = outcomeOf(m.res.caching)
		if o == meter.Hit || o == meter.Stale {
			return "", o
		}
		return functionName(m.res.function), o
	case m.file:
		return "", meter.Static
	case m.res != nil: // a middleware answered
		return middlewareName, meter.Dynamic
	}
	return "", meter.Edge
}

// outcomeOf returns what a Cache-Status says of an answer for which the cache was asked.
func outcomeOf(caching string) meter.Outcome {
	stale := strings.Contains(caching, "; ttl=-")
	switch {
	case stale:
		return meter.Stale
	case strings.Contains(caching, "; hit"):
		return meter.Hit
	case strings.Contains(caching, "; stored"), strings.Contains(caching, "; collapsed"), strings.Contains(caching, "; ttl="):
		return meter.Miss
	}
	return meter.Dynamic
}

func (m *measured) logTo(log *accesslog.Log, function string, o meter.Outcome, cut bool) {
	path, _, query := strings.Cut(m.r.RequestURI, "?")
	h := m.r.Header
	if m.requestID == "" {
		m.requestID = saneID(h[headerRequestID])
	}
	if m.traceID == "" || o == meter.Hit { // a trace that was begun has reached no function
		m.traceID = traceID(h[headerTrace])
	}
	entry := accesslog.Entry{
		Time: m.began, Function: function, Cache: o.String(), Method: m.r.Method, Host: m.r.Host, Path: path, Query: query,
		Protocol: m.r.Proto, Status: m.status, Octets: m.octets, Duration: m.took,
		Remote:    m.edge.visitorOf(peerAddress(m.r.RemoteAddr), h.Get("X-Real-Ip"), lastOf(h["X-Forwarded-For"])),
		UserAgent: h.Get("User-Agent"), Referer: h.Get("Referer"), RequestID: m.requestID, TraceID: m.traceID, Cut: cut,
	}
	if m.site != nil {
		entry.Project, entry.Deployment = m.site.Slug, m.site.ID
	}
	log.Append(&entry)
}

// WriteHeader implements http.ResponseWriter.
func (m *measured) WriteHeader(status int) {
	if m.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		m.status = status
		m.decorateSplit()
	}
	m.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (m *measured) Write(p []byte) (int, error) {
	m.setDefaultStatus()
	n, err := m.ResponseWriter.Write(p)
	m.octets += int64(n)
	return n, err
}

// ReadFrom keeps sendfile(2) reachable.
func (m *measured) ReadFrom(src io.Reader) (int64, error) {
	to, ok := m.ResponseWriter.(io.ReaderFrom)
	if !ok {
		return io.Copy(onlyWriter{m}, src)
	}
	m.setDefaultStatus()
	n, err := to.ReadFrom(src)
	m.octets += n
	return n, err
}

// FlushError is what http.ResponseController calls.
func (m *measured) FlushError() error {
	m.setDefaultStatus()
	return http.NewResponseController(m.ResponseWriter).Flush()
}

// Flush is for handlers that ask for an http.Flusher.
func (m *measured) Flush() { _ = m.FlushError() }

// Unwrap lets http.ResponseController reach the connection.
func (m *measured) Unwrap() http.ResponseWriter { return m.ResponseWriter }

func (m *measured) setDefaultStatus() {
	if m.status == 0 {
		m.status = http.StatusOK
		m.decorateSplit()
	}
}

func (m *measured) decorateSplit() {
	if m.split != nil {
		m.split.decorate(m.Header())
	}
}
