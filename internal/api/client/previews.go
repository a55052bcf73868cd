package client

import (
	"context"
	"net/http"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

const protectionPath = "preview-protection"

// PreviewProtection returns how the previews of a project are protected.
func (c *Client) PreviewProtection(ctx context.Context, project string) (anchor.PreviewProtection, error) {
	return fetch[anchor.PreviewProtection](ctx, c, get(projectPath(project, protectionPath), nil))
}

// ProtectPreviews lets the previews of a project ask for a password.
func (c *Client) ProtectPreviews(ctx context.Context, project, password string) (anchor.PreviewProtection, error) {
	return sendFetch[anchor.PreviewProtection](ctx, c, http.MethodPut, projectPath(project, protectionPath), wire.ProtectPreviews{Password: password})
}

// ProtectPreviewsBySignIn lets visitors of the previews of a project sign in.
func (c *Client) ProtectPreviewsBySignIn(ctx context.Context, project string) (anchor.PreviewProtection, error) {
	return sendFetch[anchor.PreviewProtection](ctx, c, http.MethodPut, projectPath(project, protectionPath), wire.ProtectPreviews{SignIn: true})
}

// VisitPreview returns the address that brings the person's browser back to the preview that made the ticket.
func (c *Client) VisitPreview(ctx context.Context, project, ticket string) (string, error) {
	visit, err := sendFetch[wire.PreviewVisit](ctx, c, http.MethodPost, projectPath(project, protectionPath, "visits"), wire.VisitPreview{Ticket: ticket})
	return visit.URL, err
}

// UnprotectPreviews lets everybody see the previews of a project.
func (c *Client) UnprotectPreviews(ctx context.Context, project string) error {
	return c.exec(ctx, http.MethodDelete, projectPath(project, protectionPath), nil)
}

// NewPreviewBypass replaces the bypass token of a project's previews and returns it.
func (c *Client) NewPreviewBypass(ctx context.Context, project string) (wire.PreviewBypass, error) {
	return sendFetch[wire.PreviewBypass](ctx, c, http.MethodPost, projectPath(project, protectionPath, "bypass"), nil)
}
