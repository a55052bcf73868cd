package edge

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
)

// ask sends one request through the function's site and gives the raw answer.
func ask(t *testing.T, function http.HandlerFunc, method, accept string) *http.Response {
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
	res, err := (&http.Transport{DisableCompression: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

var page = strings.Repeat("<p>a page that is worth to be coded</p>", 200)

func TestFunctionsAnswersAreCoded(t *testing.T) {
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
		"HEAD":                    {accept: "br", method: http.MethodHead, body: page, vary: true},
		"OpenNext's identity":     {accept: "br", body: page, header: map[string]string{"Content-Encoding": "identity"}, want: "br", vary: true},
		"coded by the app":        {accept: "br", body: page, header: map[string]string{"Content-Encoding": "zstd"}, want: "zstd"},
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
				if got := r.Header.Get("Accept-Encoding"); got != "identity" {
					t.Errorf("the function is asked for %q", got)
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
			if got := decoded(t, res); method != http.MethodHead && got != c.body {
				t.Errorf("the body has %d octets, want %d", len(got), len(c.body))
			}
		})
	}
}

func decoded(t *testing.T, res *http.Response) string {
	t.Helper()
	var from io.Reader = res.Body
	switch res.Header.Get("Content-Encoding") {
	case "br":
		from = brotli.NewReader(res.Body)
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

func TestCodedStreamsArriveInParts(t *testing.T) {
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

// A body that the function cut off must not look whole for having been coded.
func TestACodedBodyThatIsCutOffIsNotWhole(t *testing.T) {
	for _, coding := range []string{"br", "gzip"} {
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

func TestACodedAnswersTagIsWeak(t *testing.T) {
	res := ask(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Etag", `"strong"`)
		io.Copy(w, bytes.NewReader([]byte(page)))
	}, http.MethodGet, "gzip")
	if got := res.Header.Get("Etag"); got != `W/"strong"` {
		t.Errorf("Etag is %s", got)
	}
}
