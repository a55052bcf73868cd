package edge

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// early requests a page and returns the fields of the 103 before its answer, or nil, and the answer.
func early(t testing.TB, c *http.Client, url string, headers ...string) (http.Header, answer) {
	t.Helper()
	var hinted http.Header
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		if code != http.StatusEarlyHints {
			return fmt.Errorf("status %d", code)
		}
		hinted = http.Header(h)
		return nil
	}}
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return hinted, answer{res.StatusCode, res.Header, string(body)}
}

func TestEarlyHints_OfThePreviousAnswer(t *testing.T) {
	q := startHTTP3(t, Config{}, "a.test")
	const font = `</_next/static/media/font.woff2>; rel=preload; as="font"; crossorigin=""`
	const host = `<https://cdn.test>; rel="preconnect"`
	var private atomic.Bool
	files := assets(t, "", map[string]string{"_next/static/media/font.woff2": "font", "plain.css": "a{}"})
	function := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Link", font+`, </_next/static/media/gone.woff2>; rel=preload; as=font, </plain.css>; rel=preload; as=style, `+host)
		w.Header().Add("Link", `</next>; rel=next`)
		if private.Load() {
			w.Header().Set("Cache-Control", "private, no-store")
		}
		io.WriteString(w, "page")
	})
	clients := map[string]*http.Client{"HTTP/1.1": q.client(t, false), "HTTP/2": q.client(t, true), "HTTP/3": q.client3(t)}
	for name, c := range clients {
		private.Store(false)
		q.Publish(NewTable(map[string]*Site{"a.test": {Assets: files, Default: function}}))
		if hinted, _ := early(t, c, "https://a.test/page", "Sec-Fetch-Mode", "navigate"); hinted != nil {
			t.Errorf("%s: the first answer for a path has hints: %v", name, hinted)
		}
		if hinted, _ := early(t, c, "https://a.test/page"); hinted != nil {
			t.Errorf("%s: a client that does not navigate gets hints: %v", name, hinted)
		}
		private.Store(true)
		hinted, got := early(t, c, "https://a.test/page?again", "Sec-Fetch-Mode", "navigate")
		if len(hinted) != 1 || !slices.Equal(hinted["Link"], []string{font, host}) {
			t.Errorf("%s: hints %q", name, hinted)
		}
		if got.status != 200 || got.body != "page" || len(got.header["Link"]) != 2 || (name != "HTTP/3") != (got.header.Get("Alt-Svc") != "") {
			t.Errorf("%s: the answer is %d %v %q", name, got.status, got.header, got.body)
		}
		if hinted, _ := early(t, c, "https://a.test/page", "Sec-Fetch-Mode", "navigate"); !slices.Equal(hinted["Link"], []string{font}) {
			t.Errorf("%s: hints of a page of one visitor: %q", name, hinted)
		}
		if hinted, _ := early(t, c, "https://a.test/other", "Sec-Fetch-Mode", "navigate"); hinted != nil {
			t.Errorf("%s: another path has hints: %v", name, hinted)
		}
	}
}

func TestEarlyHints_TableIsBounded(t *testing.T) {
	var h hints
	for i := range 2 * mostHinted {
		h.store(fmt.Sprint(i), []string{"<x>; rel=preload"})
	}
	if n := len(h.byPath); n != mostHinted {
		t.Errorf("%d paths", n)
	}
	last := fmt.Sprint(2*mostHinted - 1)
	if h.find(last) == nil {
		t.Error("the newest path is not stored")
	}
	if h.store(last, nil); h.find(last) != nil {
		t.Error("a page without links keeps its hints")
	}
}

func FuzzLinks(f *testing.F) {
	for _, line := range []string{
		`<a>; rel=preload`, `<a,b>; rel="preload, x", <c>; rel=preconnect`, `<a>; title="a\"b,c"; rel=preload`, `<`, `"`, `,,`, `<a;rel=preload`,
		`<a>; rel=preload; rel=next`, `<a>; REL=PreLoad`,
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		for link := range eachLink([]string{line}) {
			if !strings.Contains(line, link) {
				t.Errorf("%q has no link %q", line, link)
			}
			if target, rel := parseLink(link); rel == "preload" && !strings.HasPrefix(link, "<"+target+">") {
				t.Errorf("%q: target %q", link, target)
			}
		}
	})
}
