package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"
)

// crowd sends visitors to the shop until it is stopped, and counts.
type crowd struct {
	base  string
	began time.Time
	stop  chan struct{}
	wg    sync.WaitGroup

	mu     sync.Mutex
	visits int
	faults []string
}

// answer is a response read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

// seen is what a crowd has experienced.
type seen struct {
	visits int
	faults []string
	took   time.Duration
}

// crowdIs describes the visitors that visit sends.
const crowdIs = "four visitors (pages over kept connections, pages over new connections, posted bodies of 16 kB, static files, each the next as soon as the last has ended)"

func visit(ctx context.Context, s *server) *crowd {
	c := &crowd{base: s.site(), began: time.Now(), stop: make(chan struct{})}
	c.send(ctx, "page", false, c.page)
	c.send(ctx, "page over a new connection", true, c.page)
	c.send(ctx, "post", false, c.post)
	c.send(ctx, "static file", false, c.file)
	return c
}

func (c *crowd) send(ctx context.Context, name string, fresh bool, see func(context.Context, *http.Client) error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: fresh}, Timeout: 30 * time.Second}
	c.wg.Go(func() {
		defer client.CloseIdleConnections()
		for {
			select {
			case <-c.stop:
				return
			default:
			}
			err := see(ctx, client)
			c.mu.Lock()
			c.visits++
			if err != nil {
				c.faults = append(c.faults, name+": "+err.Error())
			}
			c.mu.Unlock()
		}
	})
}

func (c *crowd) leave() seen {
	close(c.stop)
	c.wg.Wait()
	return seen{visits: c.visits, faults: c.faults, took: time.Since(c.began)}
}

var (
	pageVersion = regexp.MustCompile(`<meta name="anchor-version" content="([^"]+)"`)
	anyVersion  = regexp.MustCompile(`storefront-\d{4}`)
)

// page checks that a page is complete and of a single version.
func (c *crowd) page(ctx context.Context, client *http.Client) error {
	got, err := c.ask(ctx, client, http.MethodGet, "/dynamic", nil)
	if err != nil {
		return err
	}
	m := pageVersion.FindStringSubmatch(got.body)
	switch {
	case got.status != http.StatusOK:
		return fmt.Errorf("status %d: %.200s", got.status, got.body)
	case m == nil || !strings.HasSuffix(strings.TrimSpace(got.body), "</html>"):
		return fmt.Errorf("the page is not whole: %d bytes", len(got.body))
	case got.header.Get("X-Storefront-Version") != m[1]:
		return fmt.Errorf("the header says %q, the page %q", got.header.Get("X-Storefront-Version"), m[1])
	}
	for _, version := range anyVersion.FindAllString(got.body, -1) {
		if version != m[1] {
			return fmt.Errorf("the page mixes %s and %s", m[1], version)
		}
	}
	return nil
}

func (c *crowd) post(ctx context.Context, client *http.Client) error {
	sent := make([]byte, 16<<10)
	_, _ = rand.Read(sent) // never fails
	got, err := c.ask(ctx, client, http.MethodPost, "/api/echo", sent)
	if err == nil && (got.status != http.StatusOK || !strings.Contains(got.body, fmt.Sprintf("%x", sha256.Sum256(sent)))) {
		err = fmt.Errorf("status %d: %.200s", got.status, got.body)
	}
	return err
}

func (c *crowd) file(ctx context.Context, client *http.Client) error {
	time.Sleep(time.Millisecond) // or it would be the only load
	got, err := c.ask(ctx, client, http.MethodGet, "/robots.txt", nil)
	if err == nil && (got.status != http.StatusOK || got.body == "") {
		err = fmt.Errorf("status %d, %d bytes", got.status, len(got.body))
	}
	return err
}

func (c *crowd) ask(ctx context.Context, client *http.Client, method, path string, body []byte) (got answer, err error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return got, err
	}
	r.Host = shopHost
	res, err := client.Do(r)
	if err != nil {
		return got, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(text)}, err
}
