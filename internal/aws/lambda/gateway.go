package lambda

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"

	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// maxAnswer is Lambda's limit for an answer, as JSON (Lambda quotas, "Invocation payload").
const maxAnswer = 6 << 20

// Gateway answers API Gateway's HTTP API, payload format 2.0, with h. An answer is sent when it
// is complete: Flush does nothing.
//
// aws-lambda-go-api-proxy is not used for this. Its response writer has no Flush, which event
// streams treat as a broken connection, and it parses the decoded path of an event as if it were
// encoded.
func Gateway(h http.Handler, log *slog.Logger) func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	return func(ctx context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		ctx, done := context.WithCancel(ctx)
		defer done() // what a handler started for this request ends with it
		r, err := request(ctx, e)
		if err != nil {
			return refuse(http.StatusBadRequest, "bad_request", err.Error(), "Send the body as it is."), nil
		}
		w := &answer{header: http.Header{}}
		if !serve(ctx, h, w, r, log) {
			return refuse(http.StatusInternalServerError, "internal", "something went wrong inside Anchor", "Look at the handler's log."), nil
		}
		return w.event(log, r), nil
	}
}

// serve reports whether h returned. A panic ends the answer, not the process, which the next
// requests need.
func serve(ctx context.Context, h http.Handler, w *answer, r *http.Request, log *slog.Logger) (whole bool) {
	defer func() {
		if v := recover(); v != nil {
			log.ErrorContext(ctx, "panic while answering", "method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			whole = false
		}
	}()
	h.ServeHTTP(w, r)
	return true
}

func request(ctx context.Context, e events.APIGatewayV2HTTPRequest) (*http.Request, error) {
	body := []byte(e.Body)
	if e.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
			return nil, fmt.Errorf("the body is not base64, as the event says: %w", err)
		}
	}
	r := &http.Request{
		Method: e.RequestContext.HTTP.Method, URL: target(e), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, ContentLength: int64(len(body)),
		Host: e.RequestContext.DomainName, RemoteAddr: e.RequestContext.HTTP.SourceIP + ":0",
	}
	if len(body) > 0 {
		r.Body = readCloser{bytes.NewReader(body)}
	}
	for name, value := range e.Headers {
		if strings.EqualFold(name, "Host") {
			r.Host = value
			continue
		}
		r.Header.Set(name, value) // API Gateway has joined repeated headers
	}
	if len(e.Cookies) > 0 {
		r.Header.Set("Cookie", strings.Join(e.Cookies, "; "))
	}
	r.RequestURI = r.URL.RequestURI()
	return r.WithContext(ctx), nil
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// target builds the URL without parsing: rawPath is decoded by API Gateway and encoded by other
// callers of this format, so it may contain "?" and "%" as themselves.
func target(e events.APIGatewayV2HTTPRequest) *url.URL {
	u := &url.URL{Path: e.RawPath, RawQuery: e.RawQueryString}
	if decoded, err := url.PathUnescape(e.RawPath); err == nil && decoded != e.RawPath {
		u.Path, u.RawPath = decoded, e.RawPath
	}
	if !strings.HasPrefix(u.Path, "/") {
		u.Path = "/" + u.Path
	}
	return u
}

// answer records what a handler writes.
type answer struct {
	header http.Header
	sent   http.Header // as it was when the answer began
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK { // those below are interim (RFC 9110 §15.2)
		a.status, a.sent = status, a.header.Clone()
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// Flush implements http.Flusher.
func (a *answer) Flush() { a.WriteHeader(http.StatusOK) }

func (a *answer) event(log *slog.Logger, r *http.Request) events.APIGatewayV2HTTPResponse {
	a.WriteHeader(http.StatusOK)
	e := events.APIGatewayV2HTTPResponse{StatusCode: a.status, Headers: map[string]string{}, Cookies: a.sent["Set-Cookie"]}
	for name, values := range a.sent {
		if name != "Set-Cookie" { // the only one whose values cannot be joined (RFC 9110 §5.3)
			e.Headers[name] = strings.Join(values, ", ")
		}
	}
	if e.Body = a.body.String(); !utf8.ValidString(e.Body) {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(a.body.Bytes()), true
	}
	if size := sizeOf(e); size > maxAnswer {
		log.Error("the answer is larger than Lambda takes", "method", r.Method, "path", r.URL.Path, "bytes", size)
		return refuse(http.StatusInternalServerError, "answer_too_large", "the answer is larger than API Gateway lets through",
			"Ask for less at a time, with limit.")
	}
	return e
}

// sizeOf is exact where it matters: escapes make JSON longer than its text.
func sizeOf(e events.APIGatewayV2HTTPResponse) int {
	if len(e.Body) < maxAnswer/8 {
		return len(e.Body)
	}
	encoded, err := json.Marshal(e)
	if err != nil {
		return maxAnswer + 1
	}
	return len(encoded)
}

func refuse(status int, code, detail, hint string) events.APIGatewayV2HTTPResponse {
	body, err := json.Marshal(wire.Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Code: code, Hint: hint,
	})
	if err != nil {
		body = nil // strings and a number always encode
	}
	return events.APIGatewayV2HTTPResponse{
		StatusCode: status, Headers: map[string]string{"Content-Type": "application/problem+json"}, Body: string(body),
	}
}
