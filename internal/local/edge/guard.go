package edge

import (
	"net/http"
	"time"
)

// guardHandler wraps everything that answers requests, including Config.Wrap: however a request is
// answered, the connection is afterwards at the beginning of another request, or it is closed.
func (e *Edge) guardHandler(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
	m := e.beginMeasure(w, r)
	defer m.end()
	conn := connOf(r)
	if conn != nil && !conn.beginRequest() {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(linger))
		closeAfter(w)
		writeRefusal(m, r, ambiguousLength)
		m.handlerReturned()
		return
	}
	e.announceHTTP3(w, r)
	if r.ProtoMajor >= 2 {
		w.Header()["Date"] = dateAt(time.Now()).value // HTTP/1 has a faster way to write it than these
		stream := newPacedStream(w, e.cfg.Download)
		defer stream.endPace()
		w, m.ResponseWriter = stream, stream
	}
	r, body := e.paceBody(w, r)
	if body != nil {
		// A handler that panics has broken its connection off: then nothing is left to do.
		defer body.stop()
	}
	if conn != nil && !r.ProtoAtLeast(1, 1) {
		// The answer may end with the connection. It is whole only if next returns.
		conn.cut.Store(true)
	}
	next(m, r)
	m.handlerReturned()
	if conn != nil {
		conn.cut.Store(false)
	}
	if body == nil {
		return
	}
	body.drainRest()
	if conn != nil && conn.brokeOff() {
		body.closeConnection()
	}
}
