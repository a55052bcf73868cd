package accesslog

import (
	"encoding/binary"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"
	"unsafe"
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
	of    Entry  // whose texts are encoded below
	front []byte // of the line, from the project to the name of the duration
	host  int    // octets of front before the path
	path  []byte // that front has
	back  []byte // behind the duration
}

// update encodes what differs from the entry before.
func (r *Repeats) update(e *Entry) {
	o := &r.of
	same := r.front != nil && e.Project == o.Project && e.Deployment == o.Deployment && e.Function == o.Function &&
		e.Cache == o.Cache && e.Method == o.Method && e.Host == o.Host
	if !same {
		r.updateHost(e)
	}
	if !same || e.Status != o.Status || e.Octets != o.Octets || e.Query != o.Query || e.Protocol != o.Protocol || e.Path != string(r.path) {
		r.updatePath(e)
	}
	if e.Remote != o.Remote || e.UserAgent != o.UserAgent || e.Referer != o.Referer {
		o.Remote, o.UserAgent, o.Referer = e.Remote, strings.Clone(e.UserAgent), strings.Clone(e.Referer)
		b := appendText(r.back[:0], "remote", e.Remote)
		b = appendText(b, "userAgent", e.UserAgent)
		r.back = appendText(b, "referer", withoutSecrets(e.Referer))
	}
}

func (r *Repeats) updateHost(e *Entry) {
	o := &r.of
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
	r.host = len(r.front)
}

func (r *Repeats) updatePath(e *Entry) {
	o := &r.of
	b := appendText(r.front[:r.host], "path", e.Path)
	r.path = append(r.path[:0], e.Path...)
	o.Query, o.Protocol, o.Status, o.Octets = e.Query, e.Protocol, e.Status, e.Octets
	b = append(b, `,"query":`...)
	b = strconv.AppendBool(b, e.Query)
	b = appendText(b, "protocol", e.Protocol)
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(e.Status), 10)
	b = append(b, `,"octets":`...)
	b = strconv.AppendInt(b, e.Octets, 10)
	b = append(b, `,"seconds":`...)
	r.front = b
}

// appendTo appends the line to b. It reads the clock of the entry, its ids, and what update has encoded.
func (e *Entry) appendTo(b []byte, r *Repeats) []byte {
	b = appendTime(b, e.Time)
	b = append(b, r.front...)
	b = appendSeconds(b, e.Duration)
	b = append(b, r.back...)
	if e.RequestID != "" || e.TraceID != "" {
		b = appendText(b, "requestId", e.RequestID)
		b = appendText(b, "traceId", e.TraceID)
	}
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
		n := plainLength(text)
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

// plainLength returns how many octets at the front of text need no escape. It checks eight at a time.
func plainLength(text string) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	octets, n := unsafe.Slice(unsafe.StringData(text), len(text)), 0
	for ; len(octets)-n >= 8; n += 8 {
		x := binary.LittleEndian.Uint64(octets[n:])
		quote, backslash := x^ones*'"', x^ones*'\\'
		// The top bit of an octet: set in x from 0x80 on; by the additions at 0x7f; by the subtractions below
		// 0x20, and where one of the two differences is 0.
		if (x|(x+ones)|(x-ones*0x20)|(quote-ones)|(backslash-ones))&tops != 0 {
			break
		}
	}
	for n < len(text) && plain[text[n]] {
		n++
	}
	return n
}

// plain are the octets that need no escape.
var plain = func() (table [256]bool) {
	for c := ' '; c <= '~'; c++ {
		table[c] = c != '"' && c != '\\'
	}
	return table
}()

// stamp is the beginning of the lines of one second.
type stamp struct {
	second int64
	text   []byte
}

var lastStamp atomic.Pointer[stamp]

// appendTime appends the first field of a line: t in UTC with microseconds (RFC 3339).
func appendTime(b []byte, t time.Time) []byte {
	second, last := t.Unix(), lastStamp.Load()
	if last == nil || last.second != second {
		last = &stamp{second, t.UTC().AppendFormat(nil, `{"time":"2006-01-02T15:04:05.`)}
		lastStamp.Store(last)
	}
	b = append(b, last.text...)
	return append(appendMicros(b, uint32(t.Nanosecond()/1000)), 'Z')
}

// pairs are the numbers below 100 with two digits.
var pairs = func() (p [100][2]byte) {
	for n := range p {
		p[n] = [2]byte{byte('0' + n/10), byte('0' + n%10)}
	}
	return p
}()

// appendMicros appends n, which is below a million, with six digits.
func appendMicros(b []byte, n uint32) []byte {
	high, middle, low := &pairs[n/10000], &pairs[n/100%100], &pairs[n%100]
	return append(b, high[0], high[1], middle[0], middle[1], low[0], low[1])
}

// appendSeconds appends d in seconds with microseconds.
func appendSeconds(b []byte, d time.Duration) []byte {
	micros := max(d.Microseconds(), 0)
	if micros < 1e6 {
		return appendMicros(append(b, "0."...), uint32(micros))
	}
	b = strconv.AppendInt(b, micros/1e6, 10)
	return appendMicros(append(b, '.'), uint32(micros%1e6))
}
