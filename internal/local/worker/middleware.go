package worker

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxEventBody is how many bytes of a request body Lambda@Edge shows to a function (origin request:
// 1 MB).
const maxEventBody = 1 << 20

// defaultOrigin is a placeholder for an origin in events: CloudFront's always have one. What the
// middleware makes of it does not matter, as the URL is routed again.
const defaultOrigin = "origin.anchor.invalid"

// Middleware runs an external OpenNext middleware, which decides about requests before they reach a
// function.
type Middleware struct{ pool *Pool }

// NewMiddleware returns the middleware that pool runs.
func NewMiddleware(pool *Pool) (*Middleware, error) {
	if pool.spec.Event != CloudFrontRequest {
		return nil, fmt.Errorf("worker: function %s does not take CloudFront events, so it is not an external middleware", pool.spec.Name)
	}
	return &Middleware{pool: pool}, nil
}

// Decision is the result of a middleware for a request: to answer with Response or, when that is
// nil, to forward the request as the other fields say.
type Decision struct {
	Response *Response

	URL    *url.URL    // Path, RawPath and RawQuery
	Header http.Header // complete, Host excepted; has the x-opennext-* that the server function trusts
}

// Response is a final answer.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Shapes of a CloudFront request event and its results:
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-event-structure.html
type (
	cfHeaders map[string][]cfHeader
	cfHeader  struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	cfBody struct {
		Data     string `json:"data"`
		Encoding string `json:"encoding"`
	}
	cfCustomOrigin struct {
		DomainName string `json:"domainName"`
	}
	cfOrigin struct {
		Custom *cfCustomOrigin `json:"custom,omitempty"`
	}
	cfRequest struct {
		ClientIP    string    `json:"clientIp"`
		Method      string    `json:"method"`
		URI         string    `json:"uri"`
		Querystring string    `json:"querystring"`
		Headers     cfHeaders `json:"headers"`
		Body        *cfBody   `json:"body,omitempty"`
		Origin      *cfOrigin `json:"origin,omitempty"`
	}
	cfRecord struct {
		CF struct {
			Request cfRequest `json:"request"`
		} `json:"cf"`
	}
	cfResult struct {
		Status       string `json:"status"`
		Body         string `json:"body"`
		BodyEncoding string `json:"bodyEncoding"`

		URI         string    `json:"uri"`
		Querystring string    `json:"querystring"`
		Headers     cfHeaders `json:"headers"`
	}
)

// Run calls the middleware with r. A body of known length up to 1 MiB is shown to it and can still
// be read from r afterwards; a larger one is not shown.
func (m *Middleware) Run(ctx context.Context, r *http.Request) (Decision, error) {
	event, err := cloudFrontEvent(r)
	if err != nil {
		return Decision{}, err
	}
	raw, err := m.pool.Invoke(withRequestID(ctx, r.Header.Get(requestIDHeader)), event)
	if err != nil {
		return Decision{}, err
	}
	var result cfResult
	if err := json.Unmarshal(raw, &result); err != nil {
		return Decision{}, fmt.Errorf("worker: middleware %s answered something else than a CloudFront result: %w", m.pool.spec.Name, err)
	}
	if result.Status != "" {
		d, err := result.responseDecision()
		if err == nil {
			m.pool.checkFile(d.Response.Header)
		}
		return d, err
	}
	return result.rewriteDecision(r)
}

func cloudFrontEvent(r *http.Request) ([]byte, error) {
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		peer = r.RemoteAddr
	}
	var record cfRecord
	record.CF.Request = cfRequest{
		ClientIP: peer, Method: r.Method, URI: r.URL.EscapedPath(), Querystring: r.URL.RawQuery,
		Headers: cfHeaders{"host": {{"host", r.Host}}},
		Origin:  &cfOrigin{&cfCustomOrigin{defaultOrigin}},
	}
	for name, values := range r.Header {
		name, separator := strings.ToLower(name), ","
		if name == "upgrade" {
			continue // a WebSocket handshake, which fetch refuses to forward; rewriteDecision keeps the field
		}
		if name == "cookie" {
			separator = "; "
		}
		// One entry per name: OpenNext's converter keeps only the last of several.
		record.CF.Request.Headers[name] = []cfHeader{{name, strings.Join(values, separator)}}
	}
	if r.ContentLength > 0 && r.ContentLength <= maxEventBody {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, fmt.Errorf("worker: read the request body for the middleware: %w", err)
		}
		r.Body = replayed{bytes.NewReader(body), r.Body}
		record.CF.Request.Body = &cfBody{base64.StdEncoding.EncodeToString(body), "base64"}
	}
	return json.Marshal(map[string][]cfRecord{"Records": {record}})
}

// replayed reads a body again and closes the original.
type replayed struct {
	io.Reader
	io.Closer
}

func (c cfResult) responseDecision() (Decision, error) {
	status, err := strconv.Atoi(c.Status)
	if err != nil || status < 200 || status > 999 {
		return Decision{}, fmt.Errorf("worker: the middleware answered with the status %q", c.Status)
	}
	body := []byte(c.Body)
	if c.BodyEncoding == "base64" {
		if body, err = base64.StdEncoding.DecodeString(c.Body); err != nil {
			return Decision{}, fmt.Errorf("worker: the middleware's body is not base64: %w", err)
		}
	}
	return Decision{Response: &Response{Status: status, Header: c.Headers.httpHeader(), Body: body}}, nil
}

func (c cfResult) rewriteDecision(r *http.Request) (Decision, error) {
	if c.URI == "" {
		return Decision{}, errors.New("worker: the middleware answered neither with a response nor with a request")
	}
	target := &url.URL{RawQuery: c.Querystring}
	var err error
	if target.Path, err = url.PathUnescape(c.URI); err != nil {
		return Decision{}, fmt.Errorf("worker: the middleware's path: %w", err)
	}
	target.RawPath = c.URI // url.URL ignores it where it is Path's default encoding
	d := Decision{URL: target, Header: c.Headers.httpHeader()}
	d.Header.Del("Host")
	for name, values := range r.Header {
		if connectionHeader(name) {
			d.Header[name] = values
		}
	}
	return d, nil
}

// connectionHeader reports whether OpenNext's aws-cloudfront converter always leaves a header out,
// as CloudFront would not let a function set it. A missing one does not mean that the app removed
// it.
func connectionHeader(name string) bool {
	switch name = strings.ToLower(name); name {
	case "connection", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
		"trailer", "upgrade", "x-cache", "x-forwarded-proto", "x-real-ip":
		return true
	}
	return strings.HasPrefix(name, "x-amz-cf-") || strings.HasPrefix(name, "x-amzn-") ||
		strings.HasPrefix(name, "x-edge-") || strings.HasPrefix(name, "x-accel-")
}

func (h cfHeaders) httpHeader() http.Header {
	header := make(http.Header, len(h))
	for name, values := range h {
		for _, v := range values {
			header.Add(name, v.Value)
		}
	}
	return header
}
