package sites

import (
	"cmp"
	"context"
	"net/http"
	"net/url"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// CronSecret is the variable of an app that proves to it that a request comes from a cron of its own.
const CronSecret = "CRON_SECRET"

// AskCron requests a path of a deployment for a cron, under the URL of its project, past the limits and
// the cache for visitors. id becomes the request's X-Request-Id. It returns the status of the response,
// and where it redirects to.
func (p *Platform) AskCron(ctx context.Context, d anchor.Deployment, siteURL, path, id, schedule string) (status int, location string, err error) {
	s := p.site(d.Serves())
	if s == nil {
		return 0, "", filesGone(d.Serves())
	}
	env, err := p.Secrets.Locked(ctx, d.ID)
	if err != nil {
		return 0, "", err
	}
	headers := []string{"User-Agent", "anchor-cron/1.0", "X-Request-Id", id}
	if schedule != "" {
		headers = append(headers, "X-Anchor-Cron-Schedule", schedule)
	}
	if secret := env[CronSecret]; secret != "" {
		headers = append(headers, "Authorization", "Bearer "+secret)
	}
	if site, err := url.Parse(siteURL); err == nil && site.Host != "" {
		headers = append(headers, "Host", site.Host, "X-Forwarded-Host", site.Host, "X-Forwarded-Proto", cmp.Or(site.Scheme, "http"))
	}
	got, err := p.askSite(ctx, s, http.MethodGet, path, headers...)
	if err != nil {
		return 0, "", err
	}
	if got.code() >= 300 && got.code() < 400 {
		location = got.Header().Get("Location")
	}
	return got.code(), location, nil
}
