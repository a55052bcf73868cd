package worker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// maxResult bounds the JSON result of Invoke. Lambda's own limit is 6 MB.
const maxResult = 32 << 20

// Invoke calls the handler with a raw Lambda event (JSON) and returns its raw result (JSON), for bundles that do not
// take API Gateway events. It uses the same processes, queue and limits as ServeHTTP, and is never tried twice. It is
// not for streaming handlers.
//
// From an external middleware (wrapper aws-lambda, converter aws-cloudfront) either of two objects comes back: a final
// response {status: "307", headers: {name: [{key, value}]}, body, bodyEncoding: "text"|"base64"}, or the request to
// continue with {method, uri, querystring, headers, origin: {custom: {domainName}}}. Middleware translates both.
func (p *Pool) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	pr, err := p.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer p.release(pr)
	req := &http.Request{
		Method:        http.MethodPost,
		URL:           &url.URL{Scheme: "http", Host: "worker", Path: "/"},
		Header:        http.Header{invokeHeader: {"1"}, requestIDHeader: {requestIDFrom(ctx)}},
		Body:          io.NopCloser(bytes.NewReader(event)),
		ContentLength: int64(len(event)),
	}
	resp, err := pr.hop.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("worker: call function %s: %w", p.spec.Name, err)
	}
	defer resp.Body.Close()
	result, err := io.ReadAll(io.LimitReader(resp.Body, maxResult+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("worker: read the result of function %s: %w", p.spec.Name, err)
	case len(result) > maxResult:
		return nil, fmt.Errorf("worker: the result of function %s is larger than %d bytes", p.spec.Name, maxResult)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("worker: function %s failed; its log says why", p.spec.Name)
	}
	return result, nil
}

type requestIDKey struct{}

// withRequestID gives log lines of an Invoke under ctx their request id.
func withRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

func requestIDFrom(ctx context.Context) string {
	if id, ok := ctx.Value(requestIDKey{}).(string); ok && id != "" {
		return id
	}
	return newRequestID()
}
