package worker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// maxResult bounds the JSON result of Invoke in bytes. Lambda's own limit is 6 MB.
const maxResult = 32 << 20

// Invoke calls the handler with a raw Lambda event (JSON) and returns its raw result (JSON), for
// bundles that do not take API Gateway events. It uses the same processes, queue and limits as
// ServeHTTP, and never tries twice. It is not for streaming handlers.
//
// An external middleware (wrapper aws-lambda, converter aws-cloudfront) returns one of two objects:
// a final response {status: "307", headers: {name: [{key, value}]}, body, bodyEncoding:
// "text"|"base64"}, or the request to continue with {method, uri, querystring, headers, origin:
// {custom: {domainName}}}. Middleware translates both.
func (p *Pool) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	pr, err := p.acquireProcess(ctx, false)
	if err != nil {
		return nil, err
	}
	defer p.releaseProcess(pr)
	head := &requestHead{
		invoke: true,
		header: http.Header{requestIDHeader: {requestIDFrom(ctx)}},
		length: int64(len(event)),
	}
	answer, body, err := pr.hop.exchangeMessages(ctx, head, bytes.NewReader(event))
	if err != nil {
		if ctx.Err() == nil {
			p.markDoubted(pr.process)
		}
		return nil, fmt.Errorf("worker: call function %s: %w", p.spec.Name, err)
	}
	defer body.Close()
	result, err := io.ReadAll(io.LimitReader(body, maxResult+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("worker: read the result of function %s: %w", p.spec.Name, err)
	case len(result) > maxResult:
		return nil, fmt.Errorf("worker: the result of function %s is larger than %d bytes", p.spec.Name, maxResult)
	case answer.status != http.StatusOK:
		return nil, fmt.Errorf("worker: function %s failed; its log says why", p.spec.Name)
	}
	return result, nil
}

type requestIDKey struct{}

// withRequestID sets the request id of the log lines of an Invoke under ctx.
func withRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

func requestIDFrom(ctx context.Context) string {
	if id, ok := ctx.Value(requestIDKey{}).(string); ok && id != "" {
		return id
	}
	return newRequestID()
}
