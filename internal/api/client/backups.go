package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// Backups lists copies of the records, newest first.
func (c *Client) Backups(ctx context.Context) ([]anchor.Backup, error) {
	list, err := fetch[wire.Items[anchor.Backup]](ctx, c, get("/backups", nil))
	return list.Items, err
}

// MakeBackup copies the records.
func (c *Client) MakeBackup(ctx context.Context) (anchor.Backup, error) {
	return sendFetch[anchor.Backup](ctx, c, http.MethodPost, "/backups", nil)
}

// VerifyBackup returns why a copy cannot replace the records: ErrNotFound, or a Conflict when it is damaged.
func (c *Client) VerifyBackup(ctx context.Context, name string) error {
	return c.exec(ctx, http.MethodPost, "/backups/"+url.PathEscape(name)+"/verify", nil)
}
