// Package dashboard is the web interface of a server. It is a client of the API in the same process: each
// page and action makes the calls that a command of the CLI would make, with the session of the person as
// the token. So it can do nothing that the API does not allow (docs/decisions/0046).
package dashboard

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/api/client"
)

// root begins the paths of all pages.
const root = "/dashboard"

// Config is what the dashboard works with.
type Config struct {
	Version string
	Log     *slog.Logger // slog.Default() when nil
	// Secure reports whether a request came over HTTPS, here or at a trusted proxy.
	Secure func(*http.Request) bool
	// Refresh is the time between two looks at the state behind an open page, 2 s.
	Refresh time.Duration
}

// Dashboard serves the pages. Its API is set before the first request.
type Dashboard struct {
	Config
	API     http.Handler
	routes  *routes
	handler http.Handler
}

// routes is a mux that knows its patterns.
type routes struct {
	http.ServeMux
	patterns []string
}

// HandleFunc adds a route.
func (r *routes) HandleFunc(pattern string, handle func(http.ResponseWriter, *http.Request)) {
	r.patterns = append(r.patterns, pattern)
	r.ServeMux.HandleFunc(pattern, handle)
}

// New returns a dashboard without an API.
func New(c Config) *Dashboard {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Refresh == 0 {
		c.Refresh = 2 * time.Second
	}
	d := &Dashboard{Config: c}
	mux := &routes{}
	d.routes = mux
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, root, http.StatusSeeOther) })
	mux.HandleFunc("GET "+root+"/assets/{name}", serveAsset)
	d.signInRoutes(mux)
	d.passkeyRoutes(mux)
	d.passwordRoutes(mux)
	d.providerRoutes(mux)
	d.projectRoutes(mux)
	d.deploymentRoutes(mux)
	d.buildRoutes(mux)
	d.releaseRoutes(mux)
	d.previewRoutes(mux)
	d.visitRoutes(mux)
	d.domainRoutes(mux)
	d.cronRoutes(mux)
	d.errorRoutes(mux)
	d.logRoutes(mux)
	d.repositoryRoutes(mux)
	d.settingRoutes(mux)
	d.envRoutes(mux)
	d.cacheRoutes(mux)
	d.alertRoutes(mux)
	d.drainRoutes(mux)
	d.peopleRoutes(mux)
	d.systemRoutes(mux)
	mux.HandleFunc("/", d.notFound)
	d.handler = protect(mux)
	return d
}

// ServeHTTP implements http.Handler.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.handler.ServeHTTP(w, r) }

// Patterns returns the patterns of all routes, as http.ServeMux has them.
func (d *Dashboard) Patterns() []string { return d.routes.patterns }

// policy is the Content-Security-Policy of every page: nothing inline, nothing from elsewhere, and no page
// of another site around ours.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// protect sets the headers that keep pages from being framed, sniffed and quoted, and refuses what a page of
// another origin makes a browser send (http.CrossOriginProtection: Sec-Fetch-Site, else Origin against Host).
func protect(next http.Handler) http.Handler {
	safe := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Frame-Options", "DENY")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		if !strings.HasPrefix(r.URL.Path, root+"/assets/") {
			h.Set("Cache-Control", "no-store")
		}
		if r.Method == http.MethodPost {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		}
		safe.ServeHTTP(w, r)
	})
}

// maxForm is the largest form: the value of a variable.
const maxForm = 1 << 20

// client returns a client of the API with the session of a request's cookie.
func (d *Dashboard) client(r *http.Request) *client.Client {
	return client.Within(d.API, d.sessionOf(r), r)
}
