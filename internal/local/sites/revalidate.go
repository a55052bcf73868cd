package sites

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/anchor-deploy/anchor/internal/local/isr"
	"github.com/anchor-deploy/anchor/internal/local/isr/awswire"
)

// revalidatePage makes a page render itself again, as OpenNext's revalidation function does over HTTPS
// (adapters/revalidate: HEAD, x-prerender-revalidate, x-isr).
func (p *Platform) revalidatePage(ctx context.Context, ns string, m isr.Message) error {
	s := p.siteByName(ns)
	if s == nil {
		return nil
	}
	got, err := p.renderAgain(ctx, s, m.Host, m.URL)
	if err != nil {
		return err
	}
	if got.Header().Get("x-nextjs-cache") != "REVALIDATED" && got.code() >= http.StatusInternalServerError {
		return fmt.Errorf("revalidate %s: answered %d", m.URL, got.code())
	}
	return nil
}

// revalidateNow is the call that res.revalidate() of the pages router waits for; Next.js' own
// (server/api-utils/node/api-resolver.js) counts the same answers as done. It calls its router
// behind the redirects that correct trailing slashes, so one of those is followed here.
func (p *Platform) revalidateNow(ctx context.Context, ns string, page awswire.Page) error {
	s := p.siteByName(ns)
	if s == nil {
		return fmt.Errorf("deployment %s is being removed", ns)
	}
	var headers []string
	if page.OnlyGenerated {
		headers = []string{"x-prerender-revalidate-if-generated", "1"}
	}
	got, err := p.renderAgain(ctx, s, page.Host, page.URL, headers...)
	if err != nil {
		return err
	}
	if slashed, ok := otherSlash(got, page.URL); ok {
		if got, err = p.renderAgain(ctx, s, page.Host, slashed, headers...); err != nil {
			return err
		}
	}
	// The edge has made the answers invalid that were made from the page if it was rendered
	// (edge.noteRevalidation), and the incremental cache those of a page that was deleted.
	done := got.Header().Get("x-nextjs-cache") == "REVALIDATED" || got.code() == http.StatusOK ||
		got.code() == http.StatusNotFound && page.OnlyGenerated
	if !done {
		return fmt.Errorf("%s answered %d", page.URL, got.code())
	}
	return nil
}

// otherSlash returns the target of a redirect that only adds a slash to the path of target, or
// removes it.
func otherSlash(got *answer, target string) (string, bool) {
	if got.code() != http.StatusPermanentRedirect {
		return "", false
	}
	to, err := url.Parse(got.Header().Get("Location"))
	if err != nil {
		return "", false
	}
	from, err := requestTarget(target)
	if err != nil {
		return "", false
	}
	before, after := from.EscapedPath(), to.EscapedPath()
	return to.RequestURI(), before != after && strings.TrimSuffix(before, "/") == strings.TrimSuffix(after, "/")
}

func (p *Platform) renderAgain(ctx context.Context, s *site, host, target string, headers ...string) (*answer, error) {
	return p.askSite(ctx, s, http.MethodHead, target,
		append(headers, "x-prerender-revalidate", s.Build.PreviewModeID, "x-isr", "1", "Host", host)...)
}
