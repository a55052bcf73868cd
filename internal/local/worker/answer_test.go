package worker

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// text returns a plan whose body is one piece of size octets.
func text(declared, size int, headers map[string]any) plan {
	return plan{Nonce: "nonce", Declared: declared, Pieces: []piece{{Size: size}}, Headers: headers, End: "end"}
}

// TestAnswer_KeepsContentLength: RFC 9112, sections 6.3 and 8.
func TestAnswer_KeepsContentLength(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Handler: "wild.handler"})
	late := plan{Nonce: "nonce", Declared: 5, Pieces: []piece{{Size: 5}, {Size: 9, Pause: 5}, {Forge: 2}}, End: "end"}
	slow := plan{Nonce: "nonce", Declared: 100, Pieces: []piece{{Size: 10}, {Size: 5, Pause: 5}}, End: "end"}
	for name, test := range map[string]struct {
		plan   plan
		body   string
		broken bool
	}{
		"exact":                  {text(5, 5, nil), "nonce", false},
		"surplus":                {text(5, 50, nil), "nonce", false},
		"surplus later":          {late, "nonce", false},
		"nothing declared":       {text(-1, 10, nil), "noncenonce", false},
		"short":                  {text(100, 10, nil), "noncenonce", true},
		"short later":            {slow, "noncenoncenonce", true},
		"nothing written":        {text(100, 0, nil), "", true},
		"zero":                   {text(0, 10, nil), "", false},
		"not a number":           {text(-1, 5, map[string]any{"content-length": "abc"}), "nonce", false},
		"negative":               {text(-1, 5, map[string]any{"content-length": "-7"}), "nonce", false},
		"signed":                 {text(-1, 5, map[string]any{"content-length": "+3"}), "nonce", false},
		"empty":                  {text(-1, 5, map[string]any{"content-length": ""}), "nonce", false},
		"contradictory":          {text(-1, 5, map[string]any{"content-length": "3, 4"}), "nonce", false},
		"contradictory lines":    {text(-1, 5, map[string]any{"content-length": []string{"3", "4"}}), "nonce", false},
		"repeated":               {text(-1, 9, map[string]any{"content-length": "5, 5"}), "nonce", false},
		"huge":                   {text(-1, 5, map[string]any{"content-length": "99999999999999999999"}), "nonce", false},
		"with Transfer-Encoding": {text(5, 5, map[string]any{"transfer-encoding": "chunked"}), "nonce", false},
	} {
		t.Run(name, func(t *testing.T) {
			resp := s.open(t, t.Context(), test.plan.path())
			body, err := io.ReadAll(resp.Body)
			if resp.StatusCode != http.StatusOK || string(body) != test.body || (err != nil) != test.broken {
				t.Errorf("status %d, body %q, error %v; want %q, broken %v", resp.StatusCode, body, err, test.body, test.broken)
			}
		})
	}
	if !s.logs.has("the surplus is dropped") || !s.logs.has("short of its Content-Length") {
		t.Error("the log does not say what became of the answers")
	}
}

// TestAnswer_PiecesOfOneTurn: pieces that an app writes without waiting are sent together, and an answer that ends with
// them states its length. What is too large to be held is not.
func TestAnswer_PiecesOfOneTurn(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Handler: "wild.handler"})
	for name, test := range map[string]struct {
		pieces []piece
		length int64
	}{
		"small":               {[]piece{{Size: 5}, {Size: 7}, {Size: 9}}, 21},
		"empty":               {[]piece{{Size: 0}, {Size: 0}}, 0},
		"as much as is held":  {[]piece{{Size: 60 << 10}, {Size: 4 << 10}}, 64 << 10},
		"more than is held":   {[]piece{{Size: 60 << 10}, {Size: 4 << 10}, {Size: 1}, {Size: 7}}, -1},
		"with a pause":        {[]piece{{Size: 5}, {Size: 7, Pause: 20}, {Size: 9}}, -1},
		"large after a pause": {[]piece{{Size: 5}, {Size: 7, Pause: 20}, {Size: 200 << 10}, {Size: 9}}, -1},
	} {
		var whole strings.Builder
		for _, one := range test.pieces {
			whole.WriteString(strings.Repeat("nonce", one.Size/5+1)[:one.Size])
		}
		a := s.get(t, plan{Nonce: "nonce", Declared: -1, Pieces: test.pieces, End: "end"}.path())
		if a.ContentLength != test.length || a.body != whole.String() {
			t.Errorf("%s: length %d, want %d; %d octets of %d", name, a.ContentLength, test.length, len(a.body), whole.Len())
		}
	}
}

// TestAnswer_Bodiless: RFC 9110, sections 8.6, 9.3.2, 15.3.5, 15.3.6 and 15.4.5. net/http sends no
// length of a 304.
func TestAnswer_Bodiless(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Handler: "wild.handler"})
	for _, test := range []struct {
		method string
		status int
		length string
	}{
		{http.MethodHead, 200, "5"}, {http.MethodGet, 204, ""}, {http.MethodGet, 205, "0"}, {http.MethodGet, 304, ""},
	} {
		t.Run(fmt.Sprint(test.method, test.status), func(t *testing.T) {
			p := text(5, 5, nil)
			p.Status = test.status
			a := s.do(t, test.method, p.path(), nil)
			if a.StatusCode != test.status || a.body != "" || a.Header.Get("Content-Length") != test.length {
				t.Errorf("status %d, body %q, length %q", a.StatusCode, a.body, a.Header.Get("Content-Length"))
			}
		})
	}
}

// TestAnswer_InformationalStatusFails: RFC 9110, section 15.2: a 1xx does not end a request.
func TestAnswer_InformationalStatusFails(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Handler: "wild.handler"})
	for _, status := range []int{100, 101, 103, 199, 1000, 99} {
		p := text(-1, 5, nil)
		p.Status = status
		if a := s.get(t, p.path()); a.StatusCode != http.StatusInternalServerError || a.Header.Get("X-Anchor-Error") != "handler" {
			t.Errorf("status %d became %d", status, a.StatusCode)
		}
	}
	if !s.logs.has("103 is not a status that can end a request") {
		t.Error("the log does not say why")
	}
}

// TestAnswer_ConnectionFieldsStay: RFC 9110, section 7.6.1.
func TestAnswer_ConnectionFieldsStay(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Handler: "wild.handler"})
	a := s.get(t, text(-1, 5, map[string]any{
		"connection": "X-Hop , keep-alive", "x-hop": "1", "keep-alive": "timeout=5", "te": "trailers", "upgrade": "h2c",
		"proxy-connection": "close", "trailer": "x-t", "transfer-encoding": "gzip", "x-stays": "1",
	}).path())
	for _, name := range append(connectionFields, "X-Hop") {
		if v := a.Header.Values(name); len(v) > 0 {
			t.Errorf("%s: %q left", name, v)
		}
	}
	if a.Header.Get("X-Stays") != "1" || a.body != "nonce" {
		t.Errorf("headers %v, body %q", a.Header, a.body)
	}
}

// TestAnswer_ClosedEarlyBreaks: when an app destroys its response, its visitors do not wait for it any
// longer.
func TestAnswer_ClosedEarlyBreaks(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Handler: "wild.handler"})
	early := plan{Nonce: "nonce", Declared: -1, Pieces: []piece{}, End: "destroy"}
	if a := s.get(t, early.path()); a.StatusCode != http.StatusInternalServerError {
		t.Errorf("status %d of an answer destroyed before it began", a.StatusCode)
	}
	begun := plan{Nonce: "nonce", Declared: -1, Pieces: []piece{{Size: 5}, {Size: 5, Pause: 5}}, End: "destroy"}
	resp := s.open(t, t.Context(), begun.path())
	written := "noncenonce"
	if body, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.HasPrefix(written, string(body)) {
		t.Errorf("body %q, error %v", body, err)
	}
}

// TestAnswer_BrokenArrivesBroken: the client sees the head and the octets sent so far, and a
// connection that ends.
func TestAnswer_BrokenArrivesBroken(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Handler: "wild.handler"})
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", text(100, 10, nil).path())
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if resp.ContentLength != 100 || string(body) != "noncenonce" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("length %d, body %q, error %v", resp.ContentLength, body, err)
	}
}
