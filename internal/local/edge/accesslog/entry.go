package accesslog

import (
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// Entry describes one request. Host, Path, UserAgent, Referer and the ids may share a buffer that is written to
// when Append has returned. Texts that are empty are left out of the line. It has no field for a query, a cookie or credentials, which a log must not
// keep.
type Entry struct {
	Time       time.Time // when the request began
	Project    string    // slug
	Deployment string
	Function   string // that answered; "" for none
	Cache      string // what answered: see meter.Outcome
	Method     string
	Host       string
	Path       string // as sent, without the query
	Query      bool   // there was one
	Protocol   string // HTTP/1.1
	Status     int
	Octets     int64 // of the body
	Duration   time.Duration
	Remote     string // address of the client
	UserAgent  string
	Referer    string
	RequestID  string
	TraceID    string
	Cut        bool // the answer is incomplete
}

// longest is how many octets of a text are kept.
const longest = 2048

// Repeats makes the lines of requests that have much in common, as those of one connection do: it keeps
// the encoded form of what the requests share. The zero value is ready for use, by one goroutine at a time.
type Repeats struct {
	of          Entry  // whose texts are encoded below
	front, back []byte // of the line, before the path, and behind the duration
}

// update encodes what differs from the entry before.
func (r *Repeats) update(e *Entry) {
	if o := &r.of; r.front == nil || e.Project != o.Project || e.Deployment != o.Deployment || e.Function != o.Function ||
		e.Cache != o.Cache || e.Method != o.Method || e.Host != o.Host {
		o.Project, o.Deployment, o.Function, o.Cache, o.Method = e.Project, e.Deployment, e.Function, e.Cache, e.Method
		o.Host = strings.Clone(e.Host)
		b := r.front[:0]
		b = append(b, '"')
		b = appendText(b, "project", e.Project)
		b = appendText(b, "deployment", e.Deployment)
		b = appendText(b, "function", e.Function)
		b = appendText(b, "cache", e.Cache)
		b = appendText(b, "method", e.Method)
		r.front = appendText(b, "host", e.Host)
	}
	if o := &r.of; e.Remote != o.Remote || e.UserAgent != o.UserAgent {
		o.Remote, o.UserAgent = e.Remote, strings.Clone(e.UserAgent)
		b := appendText(r.back[:0], "remote", e.Remote)
		r.back = appendText(b, "userAgent", e.UserAgent)
	}
}

// appendTo appends the line to b.
func (e *Entry) appendTo(b []byte, r *Repeats) []byte {
	r.update(e)
	b = append(b, `{"time":"`...)
	b = appendTime(b, e.Time)
	b = append(b, r.front...)
	b = appendText(b, "path", e.Path)
	if e.Query {
		b = append(b, `,"query":true`...)
	} else {
		b = append(b, `,"query":false`...)
	}
	b = appendText(b, "protocol", e.Protocol)
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(e.Status), 10)
	b = append(b, `,"octets":`...)
	b = strconv.AppendInt(b, e.Octets, 10)
	b = append(b, `,"seconds":`...)
	b = appendSeconds(b, e.Duration)
	b = append(b, r.back...)
	b = appendText(b, "referer", withoutSecrets(e.Referer))
	b = appendText(b, "requestId", e.RequestID)
	b = appendText(b, "traceId", e.TraceID)
	if e.Cut {
		b = append(b, `,"cut":true`...)
	}
	return append(b, "}\n"...)
}

// withoutSecrets returns an address without its user information, query and fragment.
func withoutSecrets(address string) string {
	if i := strings.IndexAny(address, "?#"); i >= 0 {
		address = address[:i]
	}
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return address
	}
	authority, _, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		return scheme + "://" + rest[at+1:]
	}
	return address
}

func appendText(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":"`...)
	cut := len(text) > longest
	if cut {
		text = text[:longest]
	}
	b = appendEscaped(b, text)
	if cut {
		b = append(b, "…"...)
	}
	return append(b, '"')
}

const hex = "0123456789abcdef"

// appendEscaped appends text as the inside of a JSON string (RFC 8259, section 7). Control
// characters, those of C1 and line separators too, are escaped: a line that is shown in a terminal
// changes nothing there. Octets that are not UTF-8 become U+FFFD.
func appendEscaped(b []byte, text string) []byte {
	for {
		n := 0
		for n < len(text) && plain[text[n]] {
			n++
		}
		b = append(b, text[:n]...)
		if text = text[n:]; text == "" {
			return b
		}
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == '"', r == '\\':
			b = append(b, '\\', text[0])
		case r < 0xa0, r == utf8.RuneError, r == '\u2028', r == '\u2029':
			b = append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		default:
			b = append(b, text[:size]...)
		}
		text = text[size:]
	}
}

// plain are the octets that need no escape.
var plain = func() (table [256]bool) {
	for c := ' '; c <= '~'; c++ {
		table[c] = c != '"' && c != '\\'
	}
	return table
}()

// stamp is the beginning of the times of one second.
type stamp struct {
	second int64
	text   []byte
}

var lastStamp atomic.Pointer[stamp]

// appendTime appends t in UTC with microseconds (RFC 3339).
func appendTime(b []byte, t time.Time) []byte {
	last := lastStamp.Load()
	if last == nil || last.second != t.Unix() {
		last = &stamp{t.Unix(), t.UTC().AppendFormat(nil, "2006-01-02T15:04:05.")}
		lastStamp.Store(last)
	}
	b = append(b, last.text...)
	micros := t.Nanosecond() / 1000
	for scale := 100000; scale > 0; scale /= 10 {
		b = append(b, byte('0'+micros/scale%10))
	}
	return append(b, 'Z')
}

// appendSeconds appends d in seconds with microseconds.
func appendSeconds(b []byte, d time.Duration) []byte {
	micros := max(d.Microseconds(), 0)
	b = strconv.AppendInt(b, micros/1e6, 10)
	b = append(b, '.')
	for scale := int64(100000); scale > 0; scale /= 10 {
		b = append(b, byte('0'+micros/scale%10))
	}
	return b
}
