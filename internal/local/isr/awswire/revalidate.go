package awswire

import (
	"context"
	"net/http"
	"strings"
)

// Page names a page that has to render itself again before the call returns.
type Page struct {
	Host          string `json:"host"`
	URL           string `json:"url"`           // path and query, "/docs/guides/knots/"
	OnlyGenerated bool   `json:"onlyGenerated"` // leave a page that was never rendered alone
}

// Revalidate renders a page again; its error contains the answer of the page.
type Revalidate func(ctx context.Context, ns string, page Page) error

// handleRevalidate is not a call of AWS: our bootstrap sends it for res.revalidate() of the pages router.
// It is here because the key identifies the deployment here.
func (h *handler) handleRevalidate(r *http.Request, ns string, body []byte) (any, error) {
	var page Page
	if err := decodeBody(body, &page); err != nil {
		return nil, err
	}
	if page.Host == "" || !strings.HasPrefix(page.URL, "/") {
		return nil, validationError("Revalidate takes a host and the path of a page.")
	}
	if err := h.Revalidate(r.Context(), ns, page); err != nil {
		return nil, &apiError{http.StatusBadGateway, "RevalidateFailed", err.Error()}
	}
	return struct{}{}, nil
}
