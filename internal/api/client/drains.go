package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// Drains lists where copies of log lines go.
func (c *Client) Drains(ctx context.Context) ([]anchor.Drain, error) {
	list, err := fetch[wire.Items[anchor.Drain]](ctx, c, get("/drains", nil))
	return list.Items, err
}

// AddDrain has copies of log lines sent somewhere.
func (c *Client) AddDrain(ctx context.Context, r wire.AddDrain) (anchor.Drain, error) {
	cl, err := send(http.MethodPost, "/drains", r)
	if err != nil {
		return anchor.Drain{}, err
	}
	cl.once = true // a repetition would add a second one
	return fetch[anchor.Drain](ctx, c, cl)
}

// RemoveDrain ends a drain.
func (c *Client) RemoveDrain(ctx context.Context, id string) error {
	return c.exec(ctx, http.MethodDelete, "/drains/"+url.PathEscape(id), nil)
}

// TestDrain sends a test line by a drain.
func (c *Client) TestDrain(ctx context.Context, id string) error {
	return c.exec(ctx, http.MethodPost, "/drains/"+url.PathEscape(id)+"/test", nil)
}
