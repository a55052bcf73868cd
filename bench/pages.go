package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/e2e"
)

const (
	manyPages = 10_000
	manyConns = 5_000
	pageLimit = 1.3
	connLimit = 12 << 10
)

// pagesHandler answers each path with another page of 8 to 16 kB that visitors may share.
const pagesHandler = `export const handler = awslambda.streamifyResponse(async (event, stream) => {
  let seed = 7;
  for (const c of event.rawPath) seed = (seed * 31 + c.charCodeAt(0)) >>> 0;
  const size = 8192 + (seed % 8192), words = [];
  for (let n = 0; n < size; n += 9) words.push(((seed = (seed * 1103515245 + 12345) >>> 0) + 0x100000000).toString(16).slice(1));
  const head = { statusCode: 200, headers: { "content-type": "text/html; charset=utf-8", "cache-control": "s-maxage=3600", etag: '"' + seed + '"' } };
  awslambda.HttpResponseStream.from(stream, head).end(words.join(" "));
});
`

// measurePages measures the memory of many stored pages, and of connections that wait.
func measurePages(ctx context.Context, l *lab) ([]result, error) {
	app, err := l.cutApp()
	if err != nil {
		return nil, err
	}
	if err := e2e.NarrowMiddleware(app); err != nil {
		return nil, err
	}
	handler := filepath.Join(app, ".open-next", "server-functions", "default", "index.mjs")
	if err := os.WriteFile(handler, []byte(pagesHandler), 0o644); err != nil {
		return nil, err
	}
	s, err := l.up(ctx, "", "--page-cache-mib", "512")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	if _, err := s.deploy(ctx, app, "shop", s.api); err != nil {
		return nil, err
	}
	if _, err := s.fetchPages(ctx, "/warm", 200); err != nil {
		return nil, err
	}
	before, err := s.weigh()
	if err != nil {
		return nil, err
	}
	octets, err := s.fetchPages(ctx, "/page", manyPages)
	if err != nil {
		return nil, err
	}
	if again, err := s.fetchPages(ctx, "/page", manyPages); err != nil || again != octets {
		return nil, fmt.Errorf("the second time %d octets, not %d: %w", again, octets, err)
	}
	full, err := s.weigh()
	if err != nil {
		return nil, err
	}
	idle, err := s.idleConnections(ctx)
	if err != nil {
		return nil, err
	}
	grown := full.anon - before.anon
	ratio := float64(grown) / float64(octets)
	return []result{{
		what: "memory of 10,000 stored pages", ours: size(grown), peer: "their octets: " + size(octets), ratio: times(ratio),
		budget: fmt.Sprintf("≤ %g ×", pageLimit), verdict: judge(ratio <= pageLimit),
		how: []string{fmt.Sprintf("RssAnon of `anchor up --page-cache-mib 512`, %s after %d pages of 8 to 16 kB with their headers were requested twice, the second time from memory, against that before. "+
			"The pages are written to disk, too.", settle, manyPages)},
	}, {
		what: "memory of an idle connection", ours: size(idle), budget: "≤ 12 kB", verdict: judge(idle <= connLimit),
		how: []string{fmt.Sprintf("RssAnon of Anchor with %d kept connections, each after one request for a static file over HTTP/1.1, against that before them, divided by their number.", manyConns)},
	}}, nil
}

// fetchPages requests pages and returns their octets with their headers.
func (s *server) fetchPages(ctx context.Context, path string, n int) (octets int64, err error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}}
	defer client.CloseIdleConnections()
	sizes := make([]int64, n)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for i := range n {
		group.Go(func() error {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s%s-%d", s.site(), path, i), nil)
			if err != nil {
				return err
			}
			r.Host = shopHost
			res, err := client.Do(r)
			if err != nil {
				return err
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != http.StatusOK {
				return fmt.Errorf("page %d: status %d, %w", i, res.StatusCode, err)
			}
			sizes[i] = int64(len(body))
			for name, values := range res.Header {
				switch name {
				case "Age", "Cache-Status", "X-Request-Id", "Date", "Content-Length", "Vary": // of this answer, or of the edge
				default:
					sizes[i] += int64(len(name) + len(values[0]) + len(": \r\n"))
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	for _, size := range sizes {
		octets += size
	}
	return octets, nil
}

// idleConnections returns the memory of a connection that has had one request.
func (s *server) idleConnections(ctx context.Context) (each int64, err error) {
	before, err := s.weigh()
	if err != nil {
		return 0, err
	}
	at, err := url.Parse(s.site())
	if err != nil {
		return 0, err
	}
	idle, err := openIdle(ctx, at.Host, manyConns)
	defer func() {
		for _, c := range idle {
			_ = c.Close()
		}
	}()
	if err != nil {
		return 0, err
	}
	time.Sleep(settle)
	after, err := s.weigh()
	return (after.anon - before.anon) / manyConns, err
}
