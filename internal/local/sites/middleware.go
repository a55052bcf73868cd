package sites

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"github.com/anchor-deploy/anchor/internal/local/edge"
	"github.com/anchor-deploy/anchor/internal/local/worker"
)

// middleware puts a pool that runs an app's external middleware in front of the
// edge's routing.
type middleware struct{ runs *worker.Middleware }

func (s *site) middlewareOf(function string) (edge.Middleware, error) {
	runs, err := worker.NewMiddleware(s.pools[function])
	if err != nil {
		return nil, err
	}
	return middleware{runs}, nil
}

// Run implements edge.Middleware. The origin that the middleware chose does not matter: its URL is
// routed by the behaviors, which lead to the same functions.
func (m middleware) Run(ctx context.Context, r *http.Request) (edge.Decision, error) {
	d, err := m.runs.Run(ctx, r)
	if err != nil {
		return edge.Decision{}, err
	}
	if d.Response != nil {
		return edge.Decision{Response: &http.Response{
			StatusCode: d.Response.Status,
			Header:     d.Response.Header,
			Body:       io.NopCloser(bytes.NewReader(d.Response.Body)),
		}}, nil
	}
	return edge.Decision{URL: d.URL, Header: d.Header}, nil
}
