package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// Crons lists the crons of a project's live deployment.
func (c *Client) Crons(ctx context.Context, project string) ([]anchor.CronState, error) {
	list, err := fetch[wire.Items[anchor.CronState]](ctx, c, get(projectPath(project, "crons"), nil))
	return list.Items, err
}

// CronRuns lists the newest runs of a path, or of all paths when it is "".
func (c *Client) CronRuns(ctx context.Context, project, path string, limit int) ([]anchor.CronRun, error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if path != "" {
		query.Set("path", path)
	}
	list, err := fetch[wire.Items[anchor.CronRun]](ctx, c, get(projectPath(project, "crons", "runs"), query))
	return list.Items, err
}

// StartCron runs a cron now.
func (c *Client) StartCron(ctx context.Context, project, path string) (anchor.CronRun, error) {
	return sendFetch[anchor.CronRun](ctx, c, http.MethodPost, projectPath(project, "crons", "runs"), wire.StartCron{Path: path})
}

// PauseCron pauses a cron, or lets it run again.
func (c *Client) PauseCron(ctx context.Context, project, path string, paused bool) ([]anchor.CronState, error) {
	list, err := sendFetch[wire.Items[anchor.CronState]](ctx, c, http.MethodPut, projectPath(project, "crons", "pause"), wire.PauseCron{Path: path, Paused: paused})
	return list.Items, err
}
