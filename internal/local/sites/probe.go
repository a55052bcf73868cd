package sites

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/local/worker"
)

// Probe starts every function that pages need and requests the front page under the deployment's
// own host. Any status below 500 is acceptable: a front page may redirect, require a login or not
// exist.
func (p *Platform) Probe(ctx context.Context, a deploy.Artifact, note deploy.Note) error {
	s := p.site(a.Deployment.ID)
	if s == nil {
		return anchor.Failed("not_published", "deployment %s has no site to probe", a.Deployment.ID)
	}
	// Starting has a separate limit (worker.Spec.StartTimeout), which reports the reason.
	took, err := s.warmServers(ctx)
	if err != nil {
		return startFailed(err)
	}
	note("functions started in %d ms", took.Milliseconds())

	path := a.Build.BasePath + "/"
	limited, cancel := context.WithTimeout(ctx, p.ProbeLimit)
	defer cancel()
	got, err := p.askSite(limited, s, http.MethodGet, path)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx) // canceled: not the new version's fault
	}
	if limited.Err() != nil {
		return anchor.Failed("probe_timeout", "the new version did not answer GET %s within %s", path, p.ProbeLimit).
			Hintf("To see what it waits for, run `anchor logs`.")
	}
	if got.code() >= http.StatusInternalServerError {
		return anchor.Failed("probe_failed", "the new version answered GET %s with %d", path, got.code()).
			Hintf("To see its output, run `anchor logs`. Live traffic was not affected.")
	}
	note("GET %s answered %d", path, got.code())
	if err := p.markReady(ctx, a); err != nil {
		return err
	}
	p.compileLater(s)
	return nil
}

// markReady records in the description that the deployment can serve, in case the records are lost.
func (p *Platform) markReady(ctx context.Context, a deploy.Artifact) error {
	d, err := p.sealedDescription(ctx, a)
	if err != nil {
		return err
	}
	d.Ready = true
	if err := p.dataFolder().writeJSON(p.dataFolder().descriptionPath(d.Deployment), d); err != nil {
		return err
	}
	p.markAnswered(d.Deployment)
	return nil
}

// warmServers starts the server, its split functions and the middleware, and returns how long that took: a
// bundle that crashes at import is found before it is live. The image function starts with the first
// image; it is checked as far as possible without running it.
func (s *site) warmServers(ctx context.Context) (took time.Duration, err error) {
	if s.early != nil {
		if took, err = s.early.await(ctx); err != nil {
			return took, err
		}
	}
	start := time.Now()
	for _, f := range s.Build.Functions {
		if f.Image {
			continue
		}
		if err := s.pools[f.Name].Warm(ctx); err != nil {
			return 0, err
		}
	}
	return took + time.Since(start), nil
}

func startFailed(err error) error {
	var start *worker.StartError
	switch {
	case errors.Is(err, worker.ErrNoPlace):
		return anchor.Failed("no_process_free", "a function cannot start, because all processes of the deployment's other functions are busy").
			Hintf("Try again when their requests have ended, or start the server with a higher limit: anchor up --max-processes").Because(err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &start) && start.Reason == worker.Timeout:
		return anchor.Failed("start_timeout", "the functions do not start").
			Hintf("A module was still loading after the time limit: check its top-level code for something that waits.").Because(err)
	case start != nil:
		return anchor.Failed("start_crashed", "function %s crashes when it starts", start.Name).
			Hintf("Run the build locally, or set missing environment variables with `anchor env set`.").Because(err)
	}
	return err
}

// askSite sends a request of Anchor's own to a site, past the public limits. target, a path with a
// query, may come from the app: characters that cannot be part of a request line are encoded, or
// target is refused.
func (p *Platform) askSite(ctx context.Context, s *site, method, target string, headers ...string) (*answer, error) {
	r, err := p.newRequest(ctx, s, method, target)
	if err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := newAnswer()
	p.Edge.Dispatch(s.edge, w, r)
	return w, nil
}

// requestTarget parses the path and query of a request in origin form (RFC 9112, section 3.2.1).
func requestTarget(target string) (*url.URL, error) {
	u, err := url.ParseRequestURI(target)
	if err != nil || !strings.HasPrefix(target, "/") {
		return nil, fmt.Errorf("%q is not the path of a page: it must begin with a slash and encode characters that a URL cannot contain", target)
	}
	return u, nil
}

// newRequest returns a request of Anchor's own to a site.
func (p *Platform) newRequest(ctx context.Context, s *site, method, target string) (*http.Request, error) {
	u, err := requestTarget(target)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+p.deploymentHost(s.Deployment, s.Slug), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("ask deployment %s for %s: %w", s.Deployment, target, err)
	}
	r.URL, r.RequestURI = u, u.RequestURI()
	r.Header.Set("User-Agent", "Anchor")
	return r, nil
}

func (p *Platform) siteByName(ns string) *site { return p.site(anchor.DeploymentID(ns)) }
