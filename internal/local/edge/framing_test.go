package edge

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"testing"
)

// followAll passes a stream that arrives in pieces through framing, and returns what net/http would
// get of it.
func followAll(stream []byte, piece int) (*framing, []byte) {
	f := new(framing)
	var out []byte
	for len(stream) > 0 {
		p := bytes.Clone(stream[:min(piece, len(stream))])
		stream = stream[len(p):]
		out = append(out, p[:f.followOctets(p)]...)
	}
	return f, out
}

// requests returns how many requests net/http reads from a stream, and whether it read the stream
// to its end.
func requests(stream []byte) (count int64, whole bool) {
	from := bufio.NewReader(bytes.NewReader(stream))
	for {
		if _, err := from.Peek(1); err != nil {
			return count, true
		}
		r, err := http.ReadRequest(from)
		if err != nil {
			return count, false
		}
		count++
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return count, false
		}
	}
}

func TestFraming_DropsEmptyLines(t *testing.T) {
	stream := "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\r\n\r\n\r\n"
	want := "GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\r\n\r\n"
	for piece := 1; piece < 30; piece++ {
		if f, got := followAll([]byte(stream), piece); string(got) != want || f.heads.Load() != 2 {
			t.Errorf("in pieces of %d: %d heads, %q", piece, f.heads.Load(), got)
		}
	}
}

// Where net/http finds a request, framing has counted a head: otherwise a client could be refused,
// or accepted, because of a boundary that does not exist.
func FuzzFramingAgreesWithServer(f *testing.F) {
	for _, bodies := range []map[string]string{leftovers, followed} {
		for _, body := range bodies {
			f.Add([]byte("POST / HTTP/1.1\r\nHost: a\r\n"+body), 7)
			f.Add([]byte("POST / HTTP/1.0\r\nHost: a\r\n"+body), 1000)
		}
	}
	f.Add([]byte("GET / HTTP/1.1\nHost: a\n\nGET / HTTP/1.1\nHost: a\n\n"), 3)
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\nContent-Length:5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 3)
	f.Fuzz(func(t *testing.T, stream []byte, piece int) {
		follower, out := followAll(stream, max(piece, 1))
		count, whole := requests(out)
		heads, ended := follower.heads.Load(), follower.expect == expectNothing
		if count > heads && !ended {
			t.Errorf("net/http read %d requests, framing counted %d", count, heads)
		}
		if whole && !ended && heads != count {
			t.Errorf("net/http read %d requests of the whole stream, framing counted %d", count, heads)
		}
	})
}
