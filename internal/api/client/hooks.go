package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// Connection returns the repository that a project is connected to, ErrNotFound without one; the
// secret only with reveal, which needs admin.
func (c *Client) Connection(ctx context.Context, project string, reveal bool) (anchor.Connected, error) {
	var q url.Values
	if reveal {
		q = url.Values{"reveal": {"true"}}
	}
	return fetch[anchor.Connected](ctx, c, get(projectPath(project, "connection"), q))
}

// Connect connects a project to a repository or changes its connection.
func (c *Client) Connect(ctx context.Context, project string, r wire.Connect) (anchor.Connected, error) {
	return sendFetch[anchor.Connected](ctx, c, http.MethodPut, projectPath(project, "connection"), r)
}

// Disconnect removes the connection of a project.
func (c *Client) Disconnect(ctx context.Context, project string) error {
	return c.exec(ctx, http.MethodDelete, projectPath(project, "connection"), nil)
}

// TrustHostKey lets the next clone accept the key that the ssh server has then.
func (c *Client) TrustHostKey(ctx context.Context, project string) error {
	return c.exec(ctx, http.MethodPost, projectPath(project, "connection", "trust-host-key"), nil)
}

// PullRequests lists the pull requests of a connected repository, newest first.
func (c *Client) PullRequests(ctx context.Context, project string) ([]anchor.PullRequest, error) {
	list, err := fetch[wire.Items[anchor.PullRequest]](ctx, c, get(projectPath(project, "pulls"), nil))
	return list.Items, err
}

// Approve lets the commit of a fork's pull request be built.
func (c *Client) Approve(ctx context.Context, project string, number int64, commit string) (anchor.PullRequest, error) {
	return sendFetch[anchor.PullRequest](ctx, c, http.MethodPost, projectPath(project, "pulls", strconv.FormatInt(number, 10), "approve"),
		wire.Approve{Commit: commit})
}
