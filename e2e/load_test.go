//go:build slow

package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load sends visitors to a site: each kind of visit runs in its own loops until stop, checks that
// every answer is complete, and counts.
type load struct {
	site  *site
	stop  chan struct{}
	wg    sync.WaitGroup
	known func(version string) bool

	mu     sync.Mutex
	visits map[string]int
	faults []string

	assets atomic.Pointer[[]string] // every chunk ever seen
}

// visit visits the site once with its own client. A fresh client opens a connection for each
// request.
type visit func(l *load, s *site) error

func (s *site) load(known func(version string) bool) *load {
	l := &load{site: s, stop: make(chan struct{}), known: known, visits: map[string]int{}}
	l.assets.Store(&[]string{})
	for _, kind := range []struct {
		name  string
		fresh bool
		pause time.Duration
		visit visit
	}{
		{"page, keep-alive", false, 20 * time.Millisecond, dynamicPage},
		{"page, fresh connection", true, 50 * time.Millisecond, dynamicPage},
		{"cached page with all its chunks", false, 100 * time.Millisecond, pageWithChunks},
		{"POST with a body", false, 40 * time.Millisecond, postBody},
		{"slow page of 3 s", false, 0, slowPage},
		{"streamed page", false, 50 * time.Millisecond, streamedPage},
		{"event stream of 4 s", false, 0, eventStream},
		{"chunks of all versions", false, 20 * time.Millisecond, anyAsset},
	} {
		l.wg.Go(func() { l.loop(kind.name, kind.fresh, kind.pause, kind.visit) })
	}
	return l
}

func (l *load) loop(name string, fresh bool, pause time.Duration, v visit) {
	own := *l.site
	own.client = l.site.anchor.client()
	own.client.Transport.(*http.Transport).DisableKeepAlives = fresh
	defer own.client.CloseIdleConnections()
	for {
		err := v(l, &own)
		l.mu.Lock()
		l.visits[name]++
		if err != nil {
			l.faults = append(l.faults, name+": "+err.Error())
		}
		l.mu.Unlock()
		select {
		case <-l.stop:
			return
		case <-time.After(pause):
		}
	}
}

// end waits for the visits in progress, prints the counts and fails on any fault.
func (l *load) end(t *testing.T) {
	t.Helper()
	close(l.stop)
	l.wg.Wait()
	total := 0
	for _, name := range slices.Sorted(maps.Keys(l.visits)) {
		t.Logf("%8d  %s", l.visits[name], name)
		total += l.visits[name]
	}
	t.Logf("%8d visits in all, %d faults", total, len(l.faults))
	for i, f := range l.faults {
		if i == 20 {
			break
		}
		t.Error(f)
	}
	if total == 0 {
		t.Error("nobody visited")
	}
}

func (l *load) version(v string) error {
	if !l.known(v) {
		return fmt.Errorf("version %q is not one of those deployed", v)
	}
	return nil
}

// whole checks that an HTML answer is complete and of one version.
func (l *load) whole(p page) error {
	if p.Status != 200 {
		return fmt.Errorf("status %d: %.200s", p.Status, p.Body)
	}
	m := versionMeta.FindStringSubmatch(p.Body)
	switch {
	case m == nil:
		return fmt.Errorf("no version in %.200s", p.Body)
	case !strings.HasSuffix(strings.TrimSpace(p.Body), "</html>"):
		return fmt.Errorf("the page is cut off after %d bytes", len(p.Body))
	case p.Header.Get("X-Storefront-Version") != m[1]:
		return fmt.Errorf("the header says %q, the page %q", p.Header.Get("X-Storefront-Version"), m[1])
	}
	for _, label := range anyLabel.FindAllString(p.Body, -1) {
		if label != m[1] {
			return fmt.Errorf("the page mixes %s and %s", m[1], label)
		}
	}
	return l.version(m[1])
}

var anyLabel = regexp.MustCompile(`storefront-\d{4}`)

func dynamicPage(l *load, s *site) error {
	p, err := s.try("GET", "/dynamic", nil)
	if err != nil {
		return err
	}
	return l.whole(p)
}

func pageWithChunks(l *load, s *site) error {
	p, err := s.try("GET", "/", nil)
	if err != nil {
		return err
	}
	if err := l.whole(p); err != nil {
		return err
	}
	chunks := slices.Compact(slices.Sorted(slices.Values(chunkURL.FindAllString(p.Body, -1))))
	for _, c := range chunks {
		if err := l.asset(s, c); err != nil {
			return err
		}
	}
	all := slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(*l.assets.Load()), chunks...))))
	l.assets.Store(&all)
	return nil
}

func (l *load) asset(s *site, path string) error {
	p, err := s.try("GET", path, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if p.Status != 200 || p.Header.Get("Cache-Control") != "public,max-age=31536000,immutable" || len(p.Body) == 0 {
		return fmt.Errorf("%s: status %d, %d bytes", path, p.Status, len(p.Body))
	}
	return nil
}

func anyAsset(l *load, s *site) error {
	all := *l.assets.Load()
	if len(all) == 0 {
		return nil
	}
	return l.asset(s, all[int(time.Now().UnixNano())%len(all)])
}

func postBody(l *load, s *site) error {
	body := make([]byte, 64<<10)
	rand.Read(body)
	p, err := s.try("POST", "/api/echo", bytes.NewReader(body), "Content-Type", "application/octet-stream")
	if err != nil {
		return err
	}
	var echo struct{ Sha256 string }
	if p.Status != 200 || json.Unmarshal([]byte(p.Body), &echo) != nil || echo.Sha256 != sha(body) {
		return fmt.Errorf("status %d: %.200s", p.Status, p.Body)
	}
	return l.version(p.Header.Get("X-Storefront-Version"))
}

func slowPage(l *load, s *site) error {
	p, err := s.try("GET", "/slow?ms=3000", nil)
	if err != nil {
		return err
	}
	return l.whole(p)
}

func streamedPage(l *load, s *site) error {
	p, err := s.try("GET", "/stream?step=100", nil)
	if err != nil {
		return err
	}
	if !strings.Contains(p.Body, `data-part="4"`) {
		return fmt.Errorf("the last part is missing")
	}
	return l.whole(p)
}

// eventStream reads events during some switches. All of them must arrive, from one version.
func eventStream(l *load, s *site) error {
	const n = 20
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("http://%s/api/sse?n=%d&every=200", s.host, n), nil)
	if err != nil {
		return err
	}
	res, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("after %d events: %w", strings.Count(string(text), "data:"), err)
	}
	versions := map[string]bool{}
	for _, label := range anyLabel.FindAllString(string(text), -1) {
		versions[label] = true
	}
	if got := strings.Count(string(text), "data:"); got != n || res.StatusCode != 200 || len(versions) != 1 {
		return fmt.Errorf("status %d, %d of %d events, versions %v", res.StatusCode, got, n, versions)
	}
	return l.version(res.Header.Get("X-Storefront-Version"))
}
