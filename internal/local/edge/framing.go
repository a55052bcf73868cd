package edge

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
)

// framing follows the octets of one HTTP/1 connection from request to request (RFC 9112, section
// 6.3). net/http reads the same octets, but drops what makes a length ambiguous before a handler
// could see it: a Content-Length beside a Transfer-Encoding, a repeated Content-Length, a
// Transfer-Encoding in HTTP/1.0. And after a malformed body net/http can take the rest for a
// request; framing knows that no head began there.
//
// It only counts and remembers. The only octets it changes are empty lines before a request, which
// it removes.
type framing struct {
	expect  expectation
	partial []byte // a line whose end has not arrived
	left    int64  // octets of a body or a chunk that are still to come
	head    head

	heads     atomic.Int64 // complete heads so far
	ambiguous atomic.Int64 // the number of the first ambiguous one, from 1; 0 for none
	lost      atomic.Bool  // the octets that follow cannot be interpreted
	coding    atomic.Bool  // the last head had a Transfer-Encoding that does not end in one "chunked"
}

// atHead reports whether the next octet is the first of a request, or of empty lines before one.
func (f *framing) atHead() bool { return f.expect == expectHead && len(f.partial) == 0 }

type expectation uint8

const (
	expectHead  expectation = iota // or empty lines before one
	expectField                    // a field line of a head, or its end
	expectBody                     // octets counted by Content-Length
	expectChunkSize
	expectChunk    // octets counted by a chunk size
	expectChunkEnd // CRLF
	expectTrailer  // a field line after the last chunk, or the end
	expectNothing  // the connection cannot carry another request
)

// longestLine bounds what framing keeps of an unfinished line. net/http's own limits are lower.
const longestLine = 1 << 20

// head holds what the field lines of one request say about its length.
type head struct {
	old     bool // HTTP/1.0
	folded  bool // a field line continues in the next (RFC 9112, section 5.2)
	lengths int
	length  int64 // -1: not a number
	codings []string
}

// followOctets processes octets in the order of the connection, and returns how many remain at the front
// of p for net/http.
func (f *framing) followOctets(p []byte) int {
	kept := 0
	for i := 0; i < len(p); {
		if f.expect == expectHead && (p[i] == '\r' || p[i] == '\n') && len(f.partial) == 0 {
			i++ // RFC 9112, section 2.2
			continue
		}
		n := f.advanceOnce(p[i:])
		if kept != i {
			copy(p[kept:], p[i:i+n])
		}
		kept += n
		i += n
	}
	return kept
}

// advanceOnce processes one line, or as much of a body as has arrived.
func (f *framing) advanceOnce(p []byte) int {
	switch f.expect {
	case expectNothing:
		return len(p)
	case expectBody, expectChunk:
		n := min(int64(len(p)), f.left)
		if f.left -= n; f.left == 0 {
			f.bodyEnds()
		}
		return int(n)
	}
	end := bytes.IndexByte(p, '\n')
	if end < 0 {
		if f.partial = append(f.partial, p...); len(f.partial) > longestLine {
			f.loseTrack()
		}
		return len(p)
	}
	line := p[:end+1]
	if len(f.partial) > 0 {
		line = append(f.partial, line...)
		f.partial = line[:0]
	}
	f.parseLine(line)
	return end + 1
}

func (f *framing) bodyEnds() {
	if f.expect == expectChunk {
		f.expect = expectChunkEnd
		return
	}
	f.expect = expectHead
}

func (f *framing) parseLine(line []byte) {
	text, strict := bytes.CutSuffix(line, []byte("\r\n"))
	if !strict {
		text = line[:len(line)-1]
	}
	switch f.expect {
	case expectHead:
		f.head = head{old: bytes.HasSuffix(text, []byte(" HTTP/1.0"))}
		f.expect = expectField
	case expectField:
		if len(text) == 0 {
			f.headEnds()
			return
		}
		f.head.parseField(text)
	case expectChunkSize:
		f.parseChunkSize(text, strict)
	case expectChunkEnd:
		if f.expect = expectChunkSize; !strict || len(text) > 0 {
			f.loseTrack()
		}
	case expectTrailer:
		if !strict {
			f.loseTrack()
		} else if len(text) == 0 {
			f.expect = expectHead
		}
	}
}

func (f *framing) loseTrack() {
	f.expect = expectNothing
	f.lost.Store(true)
}

func (h *head) parseField(line []byte) {
	if line[0] == ' ' || line[0] == '\t' {
		h.folded = true
		return
	}
	if c := line[0] | 0x20; c != 'c' && c != 't' {
		return // most fields end here
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	switch {
	case bytes.EqualFold(name, []byte("Content-Length")):
		h.lengths++
		n, err := strconv.ParseUint(string(bytes.Trim(value, " \t")), 10, 63)
		if h.length = int64(n); err != nil {
			h.length = -1
		}
	case bytes.EqualFold(name, []byte("Transfer-Encoding")):
		h.codings = append(h.codings, string(bytes.Trim(value, " \t")))
	}
}

func (f *framing) headEnds() {
	number := f.heads.Add(1)
	h := f.head
	chunked := len(h.codings) == 1 && strings.EqualFold(h.codings[0], "chunked")
	switch {
	case h.folded, h.lengths > 1, len(h.codings) > 0 && (h.lengths > 0 || h.old):
		f.ambiguous.Store(number)
		f.loseTrack()
	case len(h.codings) > 0 && !chunked:
		f.coding.Store(!endsInOneChunked(h.codings))
		f.loseTrack()
	case chunked:
		f.expect = expectChunkSize
	case h.length < 0:
		f.loseTrack()
	case h.length > 0:
		f.expect, f.left = expectBody, h.length
	default:
		f.expect = expectHead
	}
}

// endsInOneChunked distinguishes a coding that is merely unknown (501) from a body without an end
// (400; RFC 9112, sections 6.1 and 6.3).
func endsInOneChunked(lines []string) bool {
	codings := strings.Split(strings.ToLower(strings.Join(lines, ",")), ",")
	count := 0
	for _, c := range codings {
		if strings.Trim(c, " \t") == "chunked" {
			count++
		}
	}
	return count == 1 && strings.Trim(codings[len(codings)-1], " \t") == "chunked"
}

// parseChunkSize parses a chunk-size line as strictly as net/http does (RFC 9112, section 7.1).
func (f *framing) parseChunkSize(line []byte, strict bool) {
	size, _, _ := bytes.Cut(line, []byte(";"))
	n, err := strconv.ParseUint(string(bytes.TrimRight(size, " \t")), 16, 64)
	switch {
	case err != nil || !strict || n > math.MaxInt64 || bytes.ContainsAny(size, "+-_"):
		f.loseTrack()
	case n == 0:
		f.expect = expectTrailer
	default:
		f.expect, f.left = expectChunk, int64(n)
	}
}
