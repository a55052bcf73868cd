package edge

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/local/edge/asset"
)

// Rule is what an app's routing says about one static file.
type Rule struct {
	// Ask makes the site's middleware and Default decide about each request: their answer counts,
	// and HeaderFile in it stands for a file.
	Ask bool
	// Header is added to every answer with the file, as Decision.ResponseHeader is.
	Header http.Header
}

// setsField reports whether the rule, which may be nil, sets a header field of a canonical name.
func (r *Rule) setsField(name string) bool {
	if r == nil {
		return false
	}
	for key := range r.Header {
		if http.CanonicalHeaderKey(key) == name {
			return true
		}
	}
	return false
}

// HeaderFile names, in the answer of a function or a middleware, a static file of the site by its
// percent-encoded URL path. The edge serves that file instead, with the headers of the answer,
// whose body it drops. A function must set it only where the app's rules have allowed a request for
// that file: it never comes from the app or from a server whose answer the app forwards.
const HeaderFile = "X-Anchor-File"

// ofTheAnswer are headers that describe an answer with HeaderFile itself, not the file it stands
// for.
var ofTheAnswer = []string{HeaderFile, "Content-Length", "Content-Encoding", "Transfer-Encoding", "Connection", "Trailer", "Date"}

// nameFile records the static file that an answer stands for.
func (r *response) nameFile(h http.Header) bool {
	if values := h[HeaderFile]; r.files && len(values) == 1 {
		r.named = values[0]
	}
	delete(h, HeaderFile)
	return r.named != ""
}

// serveNamed serves the static file that the site's function has named, if any.
func (e *Edge) serveNamed(site *Site, res *response, r *http.Request) {
	if res.named == "" {
		return
	}
	h := res.Header()
	rules := maps.Clone(h)
	for name := range rules {
		if slices.Contains(ofTheAnswer, name) || strings.HasPrefix(name, "X-Opennext-") {
			delete(rules, name)
		}
	}
	clear(h)
	maps.Copy(rules, res.override)
	out := newResponse(res.ResponseWriter)
	out.alt = res.alt
	out.site, out.extra, out.override = site.Header, res.extra, rules
	var t target
	if path, err := url.PathUnescape(res.named); err == nil {
		t = site.fileTarget(path)
	}
	if t.found && r.Method != http.MethodGet && r.Method != http.MethodHead {
		out.Header().Set("Allow", "GET, HEAD")
		writeRefusal(out, r, fileIsReadOnly)
		return
	}
	e.serveStatic(site, t, out, r)
}

// Named returns the static file that the site has for r, after all rules of the app; false when
// something else answers. Like Dispatch it trusts r, whose method must be GET or HEAD.
func (e *Edge) Named(site *Site, r *http.Request) (asset.Asset, bool) {
	r = normalizePath(r)
	t := site.resolveTarget(http.MethodHead, r.URL)
	if t.function == nil {
		return t.asset, t.found
	}
	site.enter()
	defer site.leave()
	r = r.Clone(r.Context())
	r.Method = http.MethodHead
	res := newResponse(nowhere{})
	e.run(site, t, res, r)
	path, err := url.PathUnescape(res.named)
	if err != nil || res.named == "" {
		return asset.Asset{}, false
	}
	t = site.fileTarget(path)
	return t.asset, t.found
}

// nowhere drops an answer.
type nowhere http.Header

func (n nowhere) Header() http.Header       { return http.Header(n) }
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) WriteHeader(int)             {}

// withRule returns w with the headers of a file's rule below those that will be added already.
func withRule(w http.ResponseWriter, rule *Rule) http.ResponseWriter {
	if rule == nil || len(rule.Header) == 0 {
		return w
	}
	res, ok := w.(*response)
	if !ok {
		res = newResponse(w)
	}
	if len(res.override) == 0 {
		res.override = rule.Header
		return res
	}
	override := maps.Clone(rule.Header)
	maps.Copy(override, res.override)
	res.override = override
	return res
}

// spelledAs returns r with the path of its file in the one spelling that a browser uses. The app's
// middleware then need not know that "/%70rivate/report.txt" is that file, too, and a matcher for
// "/(private)/" sees its parentheses.
func spelledAs(r *http.Request) *http.Request {
	var segments []string
	for segment := range strings.SplitSeq(r.URL.Path, "/") {
		segments = append(segments, encodeSegment(strings.ReplaceAll(segment, "%", "%25")))
	}
	path := strings.Join(segments, "/")
	if path == r.URL.EscapedPath() {
		return r
	}
	u := *r.URL
	u.RawPath = path
	out := r.WithContext(r.Context())
	out.URL, out.RequestURI = &u, u.RequestURI()
	return out
}
