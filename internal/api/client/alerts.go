package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// AlertChannels lists where alerts go.
func (c *Client) AlertChannels(ctx context.Context) ([]anchor.AlertChannel, error) {
	list, err := fetch[wire.Items[anchor.AlertChannel]](ctx, c, get("/alerts", nil))
	return list.Items, err
}

// AddAlertChannel has alerts sent somewhere. The secret of a webhook is returned here only.
func (c *Client) AddAlertChannel(ctx context.Context, r wire.AddAlertChannel) (wire.AddedAlertChannel, error) {
	cl, err := send(http.MethodPost, "/alerts", r)
	if err != nil {
		return wire.AddedAlertChannel{}, err
	}
	cl.once = true // a repetition would add a second one
	return fetch[wire.AddedAlertChannel](ctx, c, cl)
}

// RemoveAlertChannel ends the alerts to a channel.
func (c *Client) RemoveAlertChannel(ctx context.Context, id string) error {
	return c.exec(ctx, http.MethodDelete, "/alerts/"+url.PathEscape(id), nil)
}

// TestAlertChannel sends a test message to a channel.
func (c *Client) TestAlertChannel(ctx context.Context, id string) error {
	return c.exec(ctx, http.MethodPost, "/alerts/"+url.PathEscape(id)+"/test", nil)
}
