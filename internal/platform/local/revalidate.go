package local

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/anchor-deploy/anchor/internal/isr"
	"github.com/anchor-deploy/anchor/internal/isr/awswire"
)

// revalidate asks a page to render itself again, as OpenNext's revalidation
// function does over HTTPS (adapters/revalidate: HEAD, x-prerender-revalidate, x-isr).
func (p *Platform) revalidate(ctx context.Context, ns string, m isr.Message) error {
	s := p.siteByName(ns)
	if s == nil {
		return nil
	}
	answer := p.renderAgain(ctx, s, m.Host, m.URL)
	if answer.Header().Get("x-nextjs-cache") != "REVALIDATED" && answer.Code >= http.StatusInternalServerError {
		return fmt.Errorf("revalidate %s: answered %d", m.URL, answer.Code)
	}
	return nil
}

// revalidateNow is what res.revalidate() of the pages router waits for; Next.js' own
// (server/api-utils/node/api-resolver.js) counts the same answers as done.
func (p *Platform) revalidateNow(ctx context.Context, ns string, page awswire.Page) error {
	s := p.siteByName(ns)
	if s == nil {
		return fmt.Errorf("deployment %s is being removed", ns)
	}
	var headers []string
	if page.OnlyGenerated {
		headers = []string{"x-prerender-revalidate-if-generated", "1"}
	}
	answer := p.renderAgain(ctx, s, page.Host, page.URL, headers...)
	done := answer.Header().Get("x-nextjs-cache") == "REVALIDATED" || answer.Code == http.StatusOK ||
		answer.Code == http.StatusNotFound && page.OnlyGenerated
	if !done {
		return fmt.Errorf("%s answered %d", page.URL, answer.Code)
	}
	return nil
}

func (p *Platform) renderAgain(ctx context.Context, s *site, host, target string, headers ...string) *httptest.ResponseRecorder {
	return p.ask(ctx, s, http.MethodHead, target,
		append(headers, "x-prerender-revalidate", s.Build.PreviewModeID, "x-isr", "1", "Host", host)...)
}
