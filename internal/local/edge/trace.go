package edge

import (
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/edge/meter"
)

// Fields of the W3C's Trace Context.
const (
	headerTrace      = "Traceparent"
	headerTraceState = "Tracestate"
)

// continueTrace passes the trace of a request on to the function, or begins one that is not sampled
// if the request has none that is valid (Trace Context, section 4.3). It returns the trace's id.
// Without a Tracer the edge has no span of its own, so parent-id stays (section 3.4).
func continueTrace(h http.Header) string {
	if id := traceID(h[headerTrace]); id != "" {
		return id
	}
	delete(h, headerTraceState) // invalid without a traceparent
	id, parent := newTraceID(), strconv.FormatUint(rand.Uint64()|1<<63, 16)
	h[headerTrace] = []string{"00-" + id + "-" + parent + "-00"}
	return id
}

func newTraceID() string {
	var raw [16]byte
	for i := range 2 {
		n := rand.Uint64()
		for j := range 8 {
			raw[8*i+j] = byte(n >> (8 * j))
		}
	}
	raw[0] |= 1 // not all zero
	return hex.EncodeToString(raw[:])
}

// traceID returns the trace-id of a traceparent (Trace Context, section 3.2); "" if there is not
// exactly one or it is invalid. Versions above 00 may have more behind the flags.
func traceID(lines []string) string {
	if len(lines) != 1 {
		return ""
	}
	const size = len("00-0123456789abcdef0123456789abcdef-0123456789abcdef-00")
	field := lines[0]
	if len(field) < size || field[2] != '-' || field[35] != '-' || field[52] != '-' {
		return ""
	}
	version, trace, parent, flags := field[:2], field[3:35], field[36:52], field[53:55]
	if !isLowerHex(version) || !isLowerHex(trace) || !isLowerHex(parent) || !isLowerHex(flags) {
		return ""
	}
	rest := field[size:]
	if version == "ff" || isZero(trace) || isZero(parent) || version == "00" && rest != "" || rest != "" && rest[0] != '-' {
		return ""
	}
	return trace
}

func isLowerHex(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func isZero(s string) bool {
	for _, c := range []byte(s) {
		if c != '0' {
			return false
		}
	}
	return true
}

func saneID(lines []string) string {
	if len(lines) == 1 && isSaneID(lines[0]) {
		return lines[0]
	}
	return ""
}

// beginFunction records that a function is about to be asked.
func (r *response) beginFunction(function http.Handler) {
	r.function = function
	if r.measured != nil && r.measured.edge.cfg.ServerTiming {
		r.functionAt = time.Now()
	}
}

// addTiming adds Server-Timing (W3C Server Timing) to the answer of a function: how long the edge
// took until it asked the function, and the function until its header.
func (r *response) addTiming(h http.Header) {
	if r.functionAt.IsZero() {
		return
	}
	if o := outcomeOf(r.caching); o == meter.Hit || o == meter.Stale {
		return
	}
	now := time.Now()
	field := append([]byte("anchor;dur="), milliseconds(r.functionAt.Sub(r.measured.began))...)
	if name := functionName(r.function); name != "" {
		field = append(field, `, function;desc="`+name+`";dur=`...)
	} else {
		field = append(field, ", function;dur="...)
	}
	h.Add("Server-Timing", string(append(field, milliseconds(now.Sub(r.functionAt))...)))
}

func milliseconds(d time.Duration) []byte {
	return strconv.AppendFloat(nil, float64(d)/float64(time.Millisecond), 'f', 1, 64)
}
