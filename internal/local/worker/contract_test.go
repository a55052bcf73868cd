package worker

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// bothWrappers runs a test against a bundle with each of OpenNext's wrappers.
func bothWrappers(t *testing.T, test func(t *testing.T, s *site)) {
	for _, wrapper := range []string{"streaming", "buffered"} {
		t.Run(wrapper, func(t *testing.T) { test(t, newSite(t, Spec{Dir: "testdata/" + wrapper, Name: "default"})) })
	}
}

func TestEvent_IsPayloadFormat2(t *testing.T) {
	t.Parallel()
	type event struct {
		Version        string
		RawPath        string
		RawQueryString string
		Cookies        []string
		Headers        map[string]string
		Body           string
		IsBase64       bool `json:"isBase64Encoded"`
		RequestContext struct {
			RequestID, DomainName string
			HTTP                  struct{ Method, Path, Protocol, SourceIP, UserAgent string }
		}
	}
	bothWrappers(t, func(t *testing.T, s *site) {
		a := s.do(t, "PATCH", "/a%2Fb/%C3%A9%20c?x=1&x=%26&y", strings.NewReader("päyload"),
			"Cookie", "a=1; b=2", "X-Two", "one", "X-Two", "two", "X-Request-Id", "req-1",
			"User-Agent", "tester", "Constructor", "c",
			"Connection", "x-hop, x-other-hop", "X-Hop", "1", "X-Other-Hop", "1")
		got := decode[struct {
			Event   event
			Context struct {
				AwsRequestID, FunctionName string
				Remaining                  bool
			}
		}](t, a.body)
		e := got.Event
		check := func(what, got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("%s: got %q, want %q", what, got, want)
			}
		}
		check("version", e.Version, "2.0")
		check("rawPath", e.RawPath, "/a%2Fb/%C3%A9%20c")
		check("rawQueryString", e.RawQueryString, "x=1&x=%26&y")
		check("cookies", strings.Join(e.Cookies, "|"), "a=1|b=2")
		check("joined header", e.Headers["x-two"], "one,two")
		check("a header that every object has", e.Headers["constructor"], "c")
		check("host", "http://"+e.Headers["host"], s.url)
		check("cookie header", e.Headers["cookie"], "")
		check("headers of the connection", e.Headers["x-hop"]+e.Headers["x-other-hop"], "")
		check("body", e.Body, "cMOkeWxvYWQ=")
		check("requestId", e.RequestContext.RequestID, "req-1")
		check("method", e.RequestContext.HTTP.Method, "PATCH")
		check("path", e.RequestContext.HTTP.Path, "/a%2Fb/%C3%A9%20c")
		check("sourceIp", e.RequestContext.HTTP.SourceIP, "127.0.0.1")
		check("userAgent", e.RequestContext.HTTP.UserAgent, "tester")
		check("awsRequestId", got.Context.AwsRequestID, "req-1")
		check("functionName", got.Context.FunctionName, "default")
		if !e.IsBase64 || !got.Context.Remaining {
			t.Errorf("isBase64Encoded %v, remaining time %v", e.IsBase64, got.Context.Remaining)
		}
	})
}

func TestHandler_Responses(t *testing.T) {
	t.Parallel()
	bothWrappers(t, func(t *testing.T, s *site) {
		if a := s.get(t, "/cookies"); !slices.Equal(a.Header["Set-Cookie"], []string{"a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2", "c=3"}) {
			t.Errorf("cookies: %q", a.Header["Set-Cookie"])
		}
		if a := s.get(t, "/hello", "Accept-Encoding", "identity"); a.ContentLength != 5 {
			t.Errorf("a body that was there at once has the length %d", a.ContentLength)
		}
		if a := s.get(t, "/empty"); a.StatusCode != 200 || a.body != "" || a.Header.Get("X-Empty") != "1" {
			t.Errorf("empty body: %d %q", a.StatusCode, a.body)
		}
		for _, code := range []string{"204", "304"} {
			if a := s.get(t, "/status?code="+code); a.Status[:3] != code || a.body != "" || a.Header.Get("X-Status") != "set" {
				t.Errorf("status %s: %s %q", code, a.Status, a.body)
			}
		}
		if a := s.get(t, "/status?code=404"); a.StatusCode != 404 || a.body != "body" {
			t.Errorf("404: %d %q", a.StatusCode, a.body)
		}
		for _, method := range []string{"HEAD", "OPTIONS", "PUT", "DELETE", "QUERY"} {
			a := s.do(t, method, "/method", nil)
			if a.Header.Get("X-Method") != method || (method != "HEAD" && a.body != method) || (method == "HEAD" && a.body != "") {
				t.Errorf("%s: %q %q", method, a.Header.Get("X-Method"), a.body)
			}
		}
		if a := s.get(t, "/lengths", "Accept-Encoding", "gzip"); a.Header.Get("Content-Encoding") == "identity" {
			t.Error("content-encoding identity was sent")
		}
		// The next request on the connection shows that framing was kept through all of it.
		if a := s.get(t, "/hello"); a.body != "hello" || a.Header.Get("Content-Encoding") != "" {
			t.Errorf("hello: %q %v", a.body, a.Header)
		}
	})
}

// The edge compresses, so OpenNext's wrappers do not, though the app sees the codings that its
// visitor accepts. Bodies that the app itself compresses are not changed.
func TestHandler_SeesAcceptEncoding(t *testing.T) {
	t.Parallel()
	for _, wrapper := range []string{"streaming", "buffered", "compressed"} {
		t.Run(wrapper, func(t *testing.T) {
			s := newSite(t, Spec{Dir: "testdata/" + wrapper, Name: "default"})
			for _, accepted := range []string{"", "identity", "gzip", "gzip, deflate, br, zstd", "deflate", "br;q=0, *"} {
				header := []string{"Accept-Encoding", accepted}
				want := strconv.Quote(accepted)
				if accepted == "" {
					header, want = nil, "null"
				}
				a := s.getRaw(t, "/accepted", header...)
				if a.body != want || a.Header["Content-Encoding"] != nil {
					t.Errorf("%q: the answer is %q in %q", accepted, a.body, a.Header["Content-Encoding"])
				}
				a = s.getRaw(t, "/accepted?gzip", header...)
				plain, err := gzip.NewReader(strings.NewReader(a.body))
				if err != nil || a.Header.Get("Content-Encoding") != "gzip" {
					t.Errorf("%q: the answer that the app compresses is in %q: %v", accepted, a.Header["Content-Encoding"], err)
					continue
				}
				if got, err := io.ReadAll(plain); err != nil || string(got) != want {
					t.Errorf("%q: the app compressed %q (%v), want %q", accepted, got, err, want)
				}
			}
		})
	}
}

func TestHandler_Redirects(t *testing.T) {
	t.Parallel()
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	bothWrappers(t, func(t *testing.T, s *site) {
		for _, c := range []struct{ host, proto, to, want string }{
			{"shop.localhost:8080", "http", "https://shop.localhost:8080/cart?a=1#b", "http://shop.localhost:8080/cart?a=1#b"},
			{"shop.localhost:8080", "http", "https://shop.localhost:8080", "http://shop.localhost:8080"},
			{"shop.localhost:8080", "https", "https://shop.localhost:8080/cart", "https://shop.localhost:8080/cart"},
			{"shop.localhost:8080", "http", "https://shop.localhost:80801/cart", "https://shop.localhost:80801/cart"},
			{"shop.localhost:8080", "http", "https://other.test/cart", "https://other.test/cart"},
			{"shop.test", "http", "https://shop.test/cart", "https://shop.test/cart"},
			{"shop.test", "http", "/cart/%C3%A9?q=a b", "/cart/%C3%A9?q=a b"},
			{"shop.test", "http", "/köln?straße=日本", "/k%C3%B6ln?stra%C3%9Fe=%E6%97%A5%E6%9C%AC"},
			{"shop.test", "http", "/köln", "/k%C3%B6ln"},
			{"shop.test", "http", "/k\u00c3\u00b6ln", "/k%C3%B6ln"}, // UTF-8 read as Latin-1, as Node.js reads headers
		} {
			to, err := json.Marshal(c.to)
			if err != nil {
				t.Fatal(err)
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/redirect?to="+base64.RawURLEncoding.EncodeToString(to), nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = c.host
			req.Header.Set("X-Forwarded-Proto", c.proto)
			resp, err := stay.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if got := resp.Header.Get("Location"); resp.StatusCode != 307 || got != c.want {
				t.Errorf("%s of %s over %s: %d %q, want %q", c.to, c.host, c.proto, resp.StatusCode, got, c.want)
			}
		}
	})
}

func TestHandler_WritesStreamDirectly(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Handler: "raw.handler"})
	for _, path := range []string{"/bytes", "/whole", "/late"} {
		a := s.get(t, path)
		if a.StatusCode != 201 || a.body != "body" || len(a.Header["Set-Cookie"]) != 2 {
			t.Errorf("%s: %d %q %q", path, a.StatusCode, a.body, a.Header)
		}
	}
	if a := s.get(t, "/from"); a.StatusCode != 202 || a.body != "by helper" || a.Header.Get("X-B") != "1" {
		t.Errorf("HttpResponseStream.from: %d %q", a.StatusCode, a.body)
	}
	if a := s.get(t, "/plain"); a.StatusCode != 200 || a.body != "no prelude" || a.Header.Get("Content-Type") != "text/plain" {
		t.Errorf("plain: %d %q %q", a.StatusCode, a.body, a.Header)
	}
	if a := s.get(t, "/warmer"); a.body != `{"type":"warmer"}` {
		t.Errorf("warmer: %q", a.body)
	}
	if a := s.get(t, "/broken"); a.StatusCode != 500 {
		t.Errorf("broken prelude: %d %q", a.StatusCode, a.body)
	}
}

func TestHandler_Errors(t *testing.T) {
	t.Parallel()
	bothWrappers(t, func(t *testing.T, s *site) {
		pid := s.get(t, "/pid").body
		if a := s.get(t, "/bad-header", "X-Request-Id", "bad"); a.StatusCode != 500 || s.get(t, "/pid").body != pid {
			t.Errorf("a header that cannot be sent: %d %q; process %s, then %s", a.StatusCode, a.body, pid, s.get(t, "/pid").body)
		}
		if line := s.logs.wait(t, "Invalid character in header content"); line.RequestID != "bad" || !strings.Contains(line.Text, "x-name") {
			t.Errorf("it was logged as %+v", line)
		}
		if a := s.get(t, "/throw", "X-Request-Id", "thrown"); a.StatusCode != 500 || strings.Contains(a.body, "threw") {
			t.Errorf("thrown: %d %q", a.StatusCode, a.body)
		}
		if line := s.logs.wait(t, "the handler threw"); line.RequestID != "thrown" || line.Level != "error" {
			t.Errorf("logged as %+v", line)
		}
		if a := s.get(t, "/reject"); a.body != "alive" {
			t.Errorf("after an unhandled rejection: %q", a.body)
		}
		s.logs.wait(t, "nobody caught this")
		if n := s.Stats().Restarts; n != 0 {
			t.Errorf("%d restarts", n)
		}
	})
}

func TestEnv_IsSpecOnly(t *testing.T) {
	t.Setenv("ANCHOR_SECRET", "not for apps")
	s := newSite(t, Spec{Env: map[string]string{"MINE": "yes", "HOME": "/somewhere"}})
	got := decode[struct {
		Env  map[string]string
		Argv []string
		Cwd  string
	}](t, s.get(t, "/env").body)
	var names []string
	for name := range got.Env {
		names = append(names, name)
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"HOME", "LAMBDA_TASK_ROOT", "MINE", "PATH", "TMPDIR"}) {
		t.Errorf("the app sees %q", names)
	}
	if got.Env["MINE"] != "yes" || got.Env["HOME"] != "/somewhere" {
		t.Errorf("values: %v", got.Env)
	}
	if info, err := os.Stat(got.Env["TMPDIR"]); err != nil || !info.IsDir() {
		t.Errorf("TMPDIR: %v", err)
	}
	if filepath.Base(got.Cwd) != "streaming" || len(got.Argv) != 2 || filepath.Base(got.Argv[1]) != "index.mjs" {
		t.Errorf("cwd %s, argv %q", got.Cwd, got.Argv)
	}
}

func TestLogs_CarryLevelAndRequest(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{})
	s.get(t, "/log", "X-Request-Id", "log-1")
	for text, level := range map[string]string{"one argument": "info", "careful": "warn", "Error: failing": "error", "after await": "debug"} {
		if line := s.logs.wait(t, text); line.Level != level || line.RequestID != "log-1" || line.Time.IsZero() {
			t.Errorf("%q was logged as %+v", text, line)
		}
	}
	if line := s.logs.wait(t, "raw out"); line.Level != "info" || line.RequestID != "" || line.Text != "raw out" {
		t.Errorf("raw output: %+v", line)
	}
	if line := s.logs.wait(t, "raw err"); line.Level != "error" || line.RequestID != "" {
		t.Errorf("raw error output: %+v", line)
	}
	for text, mark := range map[string]string{"xxxx": "more characters]", "yyyy": "[cut]"} {
		if line := s.logs.wait(t, text); len(line.Text) > maxLine+100 || !strings.HasSuffix(line.Text, mark) {
			t.Errorf("a line of 3 MiB was kept with %d bytes, ending in %q", len(line.Text), line.Text[len(line.Text)-20:])
		}
	}
}
