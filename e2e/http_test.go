package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// site is one project as a visitor sees it.
type site struct {
	t      *testing.T
	anchor *anchor
	host   string
	client *http.Client
}

func (a *anchor) site(t *testing.T, project string) *site {
	return &site{t: t, anchor: a, host: a.host(project), client: a.client()}
}

// page is a whole answer.
type page struct {
	Status int
	Header http.Header
	Body   string
}

// request sends a request; headers are name, value, …
func (s *site) request(method, path string, body io.Reader, headers ...string) page {
	s.t.Helper()
	p, err := s.try(method, path, body, headers...)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return p
}

func (s *site) try(method, path string, body io.Reader, headers ...string) (page, error) {
	r, err := http.NewRequestWithContext(context.Background(), method, "http://"+s.host+path, body)
	if err != nil {
		return page{}, err
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	res, err := s.client.Do(r)
	if err != nil {
		return page{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return page{res.StatusCode, res.Header, string(text)}, err
}

func (s *site) get(path string, headers ...string) page {
	s.t.Helper()
	return s.request(http.MethodGet, path, nil, headers...)
}

// raw sends a target unchanged, which a client library would rewrite, and returns the whole
// answer.
func (s *site) raw(t *testing.T, target string) string {
	t.Helper()
	c, err := net.Dial("tcp", s.anchor.sites)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute)) // ends a test that would hang
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", target, s.host)
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("GET %s: %v", target, err)
	}
	return string(answer)
}

func (s *site) post(path, body string, headers ...string) page {
	s.t.Helper()
	return s.request(http.MethodPost, path, strings.NewReader(body), headers...)
}

// want fails unless the answer has the status.
func (p page) want(t *testing.T, status int) page {
	t.Helper()
	if p.Status != status {
		t.Fatalf("status %d, want %d; body: %.300s", p.Status, status, p.Body)
	}
	return p
}

func (p page) has(t *testing.T, text string) page {
	t.Helper()
	if !strings.Contains(p.Body, text) {
		t.Errorf("the body lacks %q: %.600s", text, p.Body)
	}
	return p
}

func (p page) header(t *testing.T, name, want string) page {
	t.Helper()
	if got := p.Header.Get(name); got != want {
		t.Errorf("%s is %q, want %q", name, got, want)
	}
	return p
}

func (p page) json(t *testing.T, out any) page {
	t.Helper()
	if err := json.Unmarshal([]byte(p.Body), out); err != nil {
		t.Fatalf("not JSON: %v: %.300s", err, p.Body)
	}
	return p
}

var (
	versionMeta = regexp.MustCompile(`<meta name="anchor-version" content="([^"]+)"`)
	renderedAt  = regexp.MustCompile(`data-rendered-at="([^"]+)"`)
	chunkURL    = regexp.MustCompile(`/_next/static/[^"'\\ )]+\.(?:js|css)`)
)

// find returns what the pattern's group matches, and fails without a match.
func (p page) find(t *testing.T, pattern *regexp.Regexp) string {
	t.Helper()
	m := pattern.FindStringSubmatch(p.Body)
	if m == nil {
		t.Fatalf("nothing like %s in: %.600s", pattern, p.Body)
	}
	return m[1]
}

func sha(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
