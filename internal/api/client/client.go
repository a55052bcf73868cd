// Package client is the typed client of Anchor's HTTP API. Errors that the server reports are
// *anchor.Error; a server that cannot be reached is *Unreachable.
package client

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/retry"
)

// Client talks to one Anchor as one token.
type Client struct {
	base  string
	token string
	http  *http.Client

	storage *http.Client // to where presigned URLs lead; never sees the token
	sent    atomic.Int64 // bytes of bodies
	met     atomic.Bool  // the server has answered

	// Attempts is how often an idempotent call is made before its connection error or 429 or
	// 503 is returned.
	Attempts int
	// Pause is the longest wait before the second attempt; it doubles with each.
	Pause time.Duration
	// Restart is how long an idempotent call waits for a server that has answered before
	// and cannot be reached: it is being started again, most likely.
	Restart time.Duration
}

// New returns a client of the API at base, an http or https URL.
func New(base, token string) *Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	transport.ResponseHeaderTimeout = 2 * time.Minute
	return &Client{
		base: strings.TrimRight(base, "/"), token: token,
		http: &http.Client{Transport: transport}, storage: newStorage(transport),
		Attempts: 4, Pause: 200 * time.Millisecond, Restart: 30 * time.Second,
	}
}

// Base returns the URL of the API, without a slash at its end.
func (c *Client) Base() string { return c.base }

// BytesSent counts the bytes of all request bodies so far, repeated ones too, as they
// went into the connection: compressed, without headers and TLS.
func (c *Client) BytesSent() int64 { return c.sent.Load() }

func (c *Client) countBody(body io.ReadCloser) io.ReadCloser { return &counting{body, &c.sent} }

type counting struct {
	io.ReadCloser
	count *atomic.Int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.count.Add(int64(n))
	return n, err
}

const userAgent = "anchor-cli"

// call is one request as it can be made again.
type call struct {
	method, path string
	query        url.Values
	header       http.Header
	body         func() (io.ReadCloser, error) // nil without a body
	size         int64
	once         bool // must not be repeated
}

func get(path string, query url.Values) call {
	return call{method: http.MethodGet, path: path, query: query}
}

// send is a call with a JSON body (nil: none). It is repeated only when its method
// is idempotent (RFC 9110 §9.2.2).
func send(method, path string, v any) (call, error) {
	c := call{method: method, path: path, once: method == http.MethodPost}
	if v == nil {
		return c, nil
	}
	encoded, err := json.Marshal(v)
	if err != nil {
		return c, fmt.Errorf("encode the request to %s: %w", path, err)
	}
	c.header = http.Header{"Content-Type": {"application/json"}}
	c.setBody(encoded)
	return c, nil
}

func (cl *call) setBody(body []byte) {
	cl.size = int64(len(body))
	cl.body = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
}

// sendCompressed is send with a compressed body.
func sendCompressed(method, path string, v any) (call, error) {
	cl, err := send(method, path, nil)
	if err != nil {
		return cl, err
	}
	var body bytes.Buffer
	zipped := gzip.NewWriter(&body)
	if err = json.NewEncoder(zipped).Encode(v); err == nil {
		err = zipped.Close()
	}
	if err != nil {
		return cl, fmt.Errorf("encode the request to %s: %w", path, err)
	}
	cl.header = http.Header{"Content-Type": {wire.GzipType}}
	cl.setBody(body.Bytes())
	return cl, nil
}

// fetch makes a call and decodes its answer.
func fetch[T any](ctx context.Context, c *Client, cl call) (T, error) {
	var out T
	res, err := c.do(ctx, cl)
	if err != nil {
		return out, err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusNoContent {
		return out, nil
	}
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		return out, fmt.Errorf("read the answer of %s %s: %w", cl.method, cl.path, err)
	}
	return out, nil
}

func sendFetch[T any](ctx context.Context, c *Client, method, path string, v any) (T, error) {
	cl, err := send(method, path, v)
	if err != nil {
		return *new(T), err
	}
	return fetch[T](ctx, c, cl)
}

func (c *Client) exec(ctx context.Context, method, path string, v any) error {
	cl, err := send(method, path, v)
	if err != nil {
		return err
	}
	res, err := c.do(ctx, cl)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// do makes a call, and repeats it after connection errors, 429 and 503 if it may.
func (c *Client) do(ctx context.Context, cl call) (*http.Response, error) {
	var res *http.Response
	a := attempts{client: c, once: cl.once}
	err := retry.Do(ctx, retry.Policy{First: c.Pause, Longest: 4 * c.Pause}, func() (err error) {
		res, err = c.try(ctx, cl) //nolint:bodyclose // judge closes what is not returned
		return a.judge(res, err)
	})
	switch {
	case err == nil:
		return res, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, err
}

// repeatPolicy is the policy for what a call of its own repeats: uploads and event streams.
func (c *Client) repeatPolicy() retry.Policy {
	return retry.Policy{First: c.Pause, Longest: 32 * c.Pause, Calls: max(c.Attempts, 1)}
}

func (c *Client) try(ctx context.Context, cl call) (*http.Response, error) {
	target := c.base + cl.path
	if len(cl.query) > 0 {
		target += "?" + cl.query.Encode()
	}
	var body io.ReadCloser
	if cl.body != nil {
		var err error
		if body, err = cl.body(); err != nil {
			return nil, &brokenBody{err}
		}
	}
	req, err := http.NewRequestWithContext(ctx, cl.method, target, nil)
	if err != nil {
		return nil, fmt.Errorf("request %s: %w", target, err)
	}
	if body != nil {
		req.Body, req.ContentLength = c.countBody(body), cl.size
		if cl.size == 0 {
			req.Body = http.NoBody
		}
	}
	for name, values := range cl.header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", userAgent)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	return c.http.Do(req)
}

func drain(res *http.Response) {
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // keeps the connection usable; its loss costs nothing
	res.Body.Close()
}
