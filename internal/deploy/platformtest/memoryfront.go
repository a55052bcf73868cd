package platformtest

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Hosts returns the host names of a project and of one of its deployments.
func (m *Memory) Hosts(p anchor.Project, d anchor.DeploymentID) (site, deployment string) {
	return p.Slug + ".test", string(d) + "--" + p.Slug + ".test"
}

// Do answers a request by its URL's host and path: it is Memory's front.
func (m *Memory) Do(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	res := &http.Response{
		Status: "", StatusCode: http.StatusNotFound, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Request: r,
	}
	body := "no such host"
	if s := m.siteOf(r.URL.Host); s != nil {
		body = m.serve(s, readRequest(r), res)
	}
	res.Status = fmt.Sprintf("%d %s", res.StatusCode, http.StatusText(res.StatusCode))
	res.ContentLength = int64(len(body))
	res.Body = io.NopCloser(strings.NewReader(body))
	return res, nil
}

// readRequest returns the request without the headers that clients must not set.
func readRequest(r *http.Request) *memoryRequest {
	header := http.Header{}
	for name, values := range r.Header {
		if !strings.HasPrefix(strings.ToLower(name), "x-anchor-") {
			header[name] = values
		}
	}
	return &memoryRequest{method: r.Method, host: r.URL.Host, path: r.URL.Path, query: r.URL.Query(), header: header}
}

// siteOf returns the site that a host leads to, nil for none.
func (m *Memory) siteOf(host string) *memorySite {
	for id, s := range m.sites {
		site, deployment := m.Hosts(s.project, id)
		switch host {
		case deployment:
			return s
		case site:
			live := m.routed[s.project.ID]
			if split := live.Split; split != nil && rand.IntN(100) < split.Weight {
				return m.sites[split.Deployment]
			}
			return m.sites[live.Deployment]
		}
	}
	return nil
}

// serve answers a request to a site and returns the body. Middleware runs once, before the route
// that the request first has.
func (m *Memory) serve(s *memorySite, r *memoryRequest, res *http.Response) (body string) {
	route := s.route(r.path)
	if p := s.programs[route.Middleware]; p != nil {
		if answer := p.run(s, r); answer.status != 0 {
			return answer.writeTo(res)
		}
		route = s.route(r.path)
	}
	if p := s.programs[route.Function]; p != nil {
		return p.run(s, r).writeTo(res)
	}
	content, found := m.file(s, r.path)
	if !found {
		return "no such file"
	}
	res.StatusCode = http.StatusOK
	res.Header.Set("Cache-Control", cacheControl(s, r.path))
	return content
}

func (a memoryAnswer) writeTo(res *http.Response) (body string) {
	res.StatusCode = a.status
	if a.location != "" {
		res.Header.Set("Location", a.location)
	}
	return a.body
}

// route returns the first route whose pattern matches the path.
func (s *memorySite) route(path string) anchor.Route {
	for _, route := range s.build.Routes {
		if matchPattern(route.Pattern, strings.TrimPrefix(path, "/")) {
			return route
		}
	}
	return anchor.Route{}
}

// matchPattern reports whether a path matches a path pattern of CloudFront: "*" stands for any
// characters, "?" for one (CloudFront Developer Guide, "Path pattern").
func matchPattern(pattern, path string) bool {
	expression := regexp.QuoteMeta(pattern)
	expression = strings.ReplaceAll(expression, `\*`, ".*")
	expression = strings.ReplaceAll(expression, `\?`, ".")
	return regexp.MustCompile(`^(?s:` + expression + `)$`).MatchString(path)
}

// file returns a static file of a site. Hashed files of the project's other deployments are found
// too: a browser may have loaded their pages.
func (m *Memory) file(s *memorySite, path string) (content string, found bool) {
	if content, found = s.files[path]; found || !isHashed(s, path) {
		return content, found
	}
	for _, other := range m.sites {
		if other.project.ID != s.project.ID {
			continue
		}
		if content, found = other.files[path]; found {
			return content, true
		}
	}
	return "", false
}

func isHashed(s *memorySite, path string) bool {
	return strings.HasPrefix(path, s.build.BasePath+"/_next/static/")
}

func cacheControl(s *memorySite, path string) string {
	if isHashed(s, path) {
		return "public,max-age=31536000,immutable"
	}
	return "public,max-age=0,must-revalidate"
}

// ReadCache returns an entry of the deployment's incremental cache, as its functions do.
func (m *Memory) ReadCache(ctx context.Context, d anchor.DeploymentID, key string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.checkSite(d); err != nil {
		return "", err
	}
	content, found := m.sites[d].cache[key]
	if !found {
		return "", anchor.NotFound("no_entry", "the cache of deployment %s has no entry %s", d, key)
	}
	return content, ctx.Err()
}

// WriteCache writes an entry of the deployment's incremental cache, as its functions do.
func (m *Memory) WriteCache(ctx context.Context, d anchor.DeploymentID, key, content string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.checkSite(d); err != nil {
		return err
	}
	m.sites[d].cache[key] = content
	return ctx.Err()
}
