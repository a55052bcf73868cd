package edge

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// ask sends one request through the function's site and returns the raw answer.
func ask(t *testing.T, function http.HandlerFunc, method, accept string, headers ...string) *http.Response {
	t.Helper()
	e := New(Config{})
	e.Publish(NewTable(map[string]*Site{"shop.test": {Default: function}}))
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	r, err := http.NewRequest(method, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "shop.test"
	if accept != "" {
		r.Header.Set("Accept-Encoding", accept)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := (&http.Transport{DisableCompression: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

var page = strings.Repeat("<p>a page that is worth to be coded</p>", 200)

func TestCompress_FunctionAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		accept, method string
		header         map[string]string
		status         int
		body           string
		want           string // Content-Encoding
		vary           bool
	}{
		"brotli":                  {accept: "gzip, br", body: page, want: "br", vary: true},
		"gzip":                    {accept: "gzip", body: page, want: "gzip", vary: true},
		"weights decide":          {accept: "br;q=0.1, gzip", body: page, want: "gzip", vary: true},
		"nothing asked for":       {body: page, vary: true},
		"refused":                 {accept: "gzip;q=0", body: page, vary: true},
		"HEAD":                    {accept: "br", method: http.MethodHead, body: page, want: "br", vary: true},
		"zstd":                    {accept: "zstd", body: page, want: "zstd", vary: true},
		"zstd before gzip":        {accept: "gzip, zstd", body: page, want: "zstd", vary: true},
		"brotli before zstd":      {accept: "gzip, deflate, br, zstd", body: page, want: "br", vary: true},
		"zstd refused":            {accept: "zstd;q=0, gzip", body: page, want: "gzip", vary: true},
		"a type shouted":          {accept: "br", body: page, header: map[string]string{"Content-Type": "TEXT/HTML"}, want: "br", vary: true},
		"a script":                {accept: "br", body: page, header: map[string]string{"Content-Type": "application/javascript"}, want: "br", vary: true},
		"lines of JSON":           {accept: "br", body: page, header: map[string]string{"Content-Type": "application/x-ndjson"}, want: "br", vary: true},
		"Vary of the app":         {accept: "br", body: page, header: map[string]string{"Vary": "accept-encoding"}, want: "br"},
		"Identity shouted":        {accept: "br", body: page, header: map[string]string{"Content-Encoding": "Identity"}, want: "br", vary: true},
		"No-Transform":            {accept: "br", body: page, header: map[string]string{"Cache-Control": "public, No-Transform"}},
		"EVENTS":                  {accept: "br", body: page, header: map[string]string{"Content-Type": "Text/Event-Stream"}},
		"OpenNext's identity":     {accept: "br", body: page, header: map[string]string{"Content-Encoding": "identity"}, want: "br", vary: true},
		"coded by the app":        {accept: "br", body: page, header: map[string]string{"Content-Encoding": "deflate"}, want: "deflate"},
		"no-transform":            {accept: "br", body: page, header: map[string]string{"Cache-Control": "no-transform"}},
		"an image":                {accept: "br", body: page, header: map[string]string{"Content-Type": "image/webp"}},
		"events":                  {accept: "br", body: page, header: map[string]string{"Content-Type": "text/event-stream"}},
		"a short body":            {accept: "br", body: "short", header: map[string]string{"Content-Length": "5"}},
		"a part":                  {accept: "br", body: page, status: http.StatusPartialContent},
		"an empty body of a 204":  {accept: "br", status: http.StatusNoContent},
		"an empty body otherwise": {accept: "gzip", want: "gzip", vary: true},
	} {
		t.Run(name, func(t *testing.T) {
			method := http.MethodGet
			if c.method != "" {
				method = c.method
			}
			res := ask(t, func(w http.ResponseWriter, r *http.Request) {
				if got, sent := r.Header["Accept-Encoding"]; strings.Join(got, "|") != c.accept || sent != (c.accept != "") {
					t.Errorf("the function sees %q, the client sent %q", got, c.accept)
				}
				w.Header().Set("Content-Type", "text/html")
				for k, v := range c.header {
					w.Header().Set(k, v)
				}
				if c.status != 0 {
					w.WriteHeader(c.status)
				}
				io.WriteString(w, c.body)
			}, method, c.accept)
			if got := res.Header.Get("Content-Encoding"); got != c.want {
				t.Errorf("Content-Encoding is %q, want %q", got, c.want)
			}
			if got := res.Header.Get("Vary") == "Accept-Encoding"; got != c.vary {
				t.Errorf("Vary is %q", res.Header.Get("Vary"))
			}
			if method == http.MethodHead {
				return
			}
			if got := decoded(t, res); got != c.body {
				t.Errorf("the body has %d octets, want %d", len(got), len(c.body))
			}
		})
	}
}

func TestHeaders_OpenNextRequestIDStaysInside(t *testing.T) {
	res := ask(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-OpenNext-RequestId", "0.yxmf2djpnl9")
		io.WriteString(w, page)
	}, http.MethodGet, "")
	if got := res.Header.Get("X-OpenNext-RequestId"); got != "" || res.Header.Get("X-Request-Id") == "" {
		t.Errorf("the visitor sees %q, and the id %q", got, res.Header.Get("X-Request-Id"))
	}
}

func decoded(t *testing.T, res *http.Response) string {
	t.Helper()
	var from io.Reader = res.Body
	switch res.Header.Get("Content-Encoding") {
	case "br":
		from = brotli.NewReader(res.Body)
	case "zstd":
		z, err := zstd.NewReader(res.Body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20)) // RFC 9659
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		body, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	case "gzip":
		var err error
		if from, err = gzip.NewReader(res.Body); err != nil {
			t.Fatal(err)
		}
	}
	body, err := io.ReadAll(from)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestCompress_StreamsArriveInParts(t *testing.T) {
	next := make(chan struct{})
	res := ask(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "first")
		w.(http.Flusher).Flush()
		<-next
		io.WriteString(w, "second")
	}, http.MethodGet, "br")
	body := brotli.NewReader(res.Body)
	first := make([]byte, len("first"))
	if _, err := io.ReadFull(body, first); err != nil || string(first) != "first" {
		t.Fatalf("%q, %v", first, err)
	}
	close(next)
	if rest, err := io.ReadAll(body); err != nil || string(rest) != "second" {
		t.Errorf("%q, %v", rest, err)
	}
}

// A body that the function cut off must not look whole because it was coded.
func TestCompress_CutOffBodyIsIncomplete(t *testing.T) {
	for _, coding := range []string{"br", "gzip", "zstd"} {
		res := ask(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, page)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, http.MethodGet, coding)
		if body, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("%s: %d octets arrived without an error", coding, len(body))
		}
	}
}

func TestCompress_WeakensTag(t *testing.T) {
	res := ask(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Etag", `"strong"`)
		io.Copy(w, bytes.NewReader([]byte(page)))
	}, http.MethodGet, "gzip")
	if got := res.Header.Get("Etag"); got != `W/"strong"` {
		t.Errorf("Etag is %s", got)
	}
}

// A 304 has the validator and the Vary of the 200 that it confirms, and HEAD the header of GET (RFC
// 9110, sections 15.4.5 and 9.3.2).
func TestCompress_304MatchesVariant(t *testing.T) {
	for name, app := range map[string]http.Header{
		"a page":              {"Content-Type": {"text/html"}, "Etag": {`"x"`}},
		"a page, weak":        {"Content-Type": {"text/html"}, "Etag": {`W/"x"`}},
		"varies by itself":    {"Content-Type": {"text/html"}, "Etag": {`"x"`}, "Vary": {"RSC, Accept-Encoding"}},
		"varies by more":      {"Content-Type": {"text/html"}, "Etag": {`"x"`}, "Vary": {"RSC"}},
		"not compressible":    {"Content-Type": {"image/png"}, "Etag": {`"x"`}},
		"not to be changed":   {"Content-Type": {"text/html"}, "Etag": {`"x"`}, "Cache-Control": {"no-transform"}},
		"with a known length": {"Content-Type": {"text/html"}, "Etag": {`"x"`}, "Content-Length": {strconv.Itoa(len(page))}},
	} {
		for _, named := range []bool{true, false} {
			function := func(w http.ResponseWriter, r *http.Request) {
				for field, values := range app {
					w.Header()[field] = values
				}
				if r.Header.Get("If-None-Match") != "" {
					delete(w.Header(), "Content-Length")
					if !named {
						delete(w.Header(), "Content-Type")
					}
					w.WriteHeader(http.StatusNotModified)
					return
				}
				if r.Method != http.MethodHead {
					io.WriteString(w, page)
				}
			}
			for _, accept := range []string{"gzip, deflate, br", "gzip"} {
				whole := ask(t, function, http.MethodGet, accept)
				head := ask(t, function, http.MethodHead, accept)
				confirmed := ask(t, func(w http.ResponseWriter, r *http.Request) { function(w, r) }, http.MethodGet, accept, "If-None-Match", whole.Header.Get("Etag"))
				for _, field := range []string{"Etag", "Vary"} {
					if got, want := confirmed.Header.Values(field), whole.Header.Values(field); confirmed.StatusCode != 304 || !slices.Equal(got, want) {
						t.Errorf("%s, type named %v, %s: the 304 has %s %q, the 200 %q", name, named, accept, field, got, want)
					}
				}
				for _, field := range []string{"Etag", "Vary", "Content-Encoding", "Content-Type", "Cache-Control"} {
					if got, want := head.Header.Values(field), whole.Header.Values(field); !slices.Equal(got, want) {
						t.Errorf("%s, %s: HEAD has %s %q, GET %q", name, accept, field, got, want)
					}
				}
				if got := head.Header.Get("Content-Length"); got != "" && got != whole.Header.Get("Content-Length") {
					t.Errorf("%s, %s: HEAD has the length %s, GET %q", name, accept, got, whole.Header.Get("Content-Length"))
				}
			}
		}
	}
}

func TestCompress_DropsFieldsOfUncodedBody(t *testing.T) {
	res := ask(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Digest", "sha-256=:AAAA:")
		w.Header().Set("Accept-Ranges", "bytes")
		io.WriteString(w, page)
	}, http.MethodGet, "gzip")
	if got := res.Header; got.Get("Content-Digest") != "" || got.Get("Accept-Ranges") != "" {
		t.Errorf("%v", got)
	}
}
