package sites

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/edge"
	"github.com/anchor-deploy/anchor/internal/local/edge/asset"
)

// images answers /_next/image as `next start` does (next/dist/server/image-optimizer.js,
// setResponseHeaders). OpenNext's image function leaves out half of it: the headers that keep an
// SVG from running scripts, an ETag derived from the picture, 404 for an original that does not
// exist, and failures that no browser keeps.
type images struct {
	function http.Handler
	headers  anchor.Images
	files    *asset.Index
	rules    map[string]*edge.Rule
	seen     seenImages
}

// newImages takes the site whose static files are the originals.
func newImages(function http.Handler, headers anchor.Images, site *edge.Site) *images {
	return &images{function: function, headers: headers.OrDefault(), files: site.Assets, rules: site.Rules}
}

// ServeHTTP implements http.Handler.
func (i *images) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	source, query := r.URL.Query().Get("url"), r.URL.RawQuery+"\n"+strings.Join(r.Header["Accept"], ",")
	own := i.isOwnFile(source)
	if own && notModified(w, r, i.seen.findHeader(query)) {
		return
	}
	made := i.makeImage(r)
	if made.status != http.StatusOK {
		i.forwardFailure(w, r, made, source)
		return
	}
	h := made.header
	sum := sha256.Sum256(made.body.Bytes())
	h.Set("Etag", `"`+hex.EncodeToString(sum[:16])+`"`)
	h.Set("Content-Security-Policy", i.headers.SecurityPolicy)
	h.Set("Content-Disposition", contentDisposition(i.headers.Disposition, source, h.Get("Content-Type")))
	h.Del("Content-Length")
	if own {
		i.seen.add(query, h.Clone())
	}
	maps.Copy(w.Header(), h)
	// ServeContent handles conditions, ranges and HEAD.
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(made.body.Bytes()))
}

// makeImage calls the function to make the picture, by GET and without conditions: the ETag of a HEAD is
// the picture's.
func (i *images) makeImage(r *http.Request) *madeImage {
	whole := r.Clone(r.Context())
	if r.Method == http.MethodHead {
		whole.Method = http.MethodGet
	}
	for _, condition := range []string{"If-None-Match", "If-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range"} {
		whole.Header.Del(condition)
	}
	made := &madeImage{header: http.Header{}}
	i.function.ServeHTTP(made, whole)
	return made
}

// forwardFailure forwards a failure. The function knows no status but 400 and 500; the bootstrap has set that
// of an upstream's failure (worker/bootstrap/image.mjs).
func (i *images) forwardFailure(w http.ResponseWriter, r *http.Request, made *madeImage, source string) {
	isOwnPath := strings.HasPrefix(source, "/") && !strings.HasPrefix(source, "//")
	if made.status == http.StatusInternalServerError && isOwnPath && !i.isHandedOut(source) && made.header.Get("X-Anchor-Error") == "" {
		made.status = http.StatusNotFound
		made.body.Reset()
		made.body.WriteString(`"url" parameter is valid but internal response is invalid`)
	}
	// OpenNext: public,max-age=60,immutable. Next.js lets a browser request a failed picture again.
	if made.status >= http.StatusBadRequest && made.header.Get("X-Anchor-Error") == "" {
		made.header.Del("Cache-Control")
	}
	made.header.Del("Content-Length")
	maps.Copy(w.Header(), made.header)
	w.WriteHeader(made.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(made.body.Bytes()) // the client is gone if this fails
	}
}

// isOwnFile reports whether source, the url parameter, names a file of the deployment, which never
// changes.
func (i *images) isOwnFile(source string) bool {
	_, ok := i.ownFile(source)
	return ok
}

// isHandedOut reports whether the function gets the original in any case. The app's rules may
// withhold an original that they decide about, which to the function looks as if it did not exist.
func (i *images) isHandedOut(source string) bool {
	path, ok := i.ownFile(source)
	rule := i.rules[path]
	return ok && (rule == nil || !rule.Ask)
}

// ownFile returns the URL path, not percent-encoded, of the file that source names.
func (i *images) ownFile(source string) (path string, ok bool) {
	u, err := url.Parse(source)
	if err != nil || u.Host != "" || u.Scheme != "" {
		return "", false
	}
	_, ok = i.files.Lookup(u.Path)
	return u.Path, ok
}

// madeImage keeps a function's answer. Pictures are small: Next.js' result is at most as large as
// the original.
type madeImage struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (m *madeImage) Header() http.Header { return m.header }

func (m *madeImage) WriteHeader(status int) {
	if m.status == 0 && status >= http.StatusOK {
		m.status = status
	}
}

func (m *madeImage) Write(p []byte) (int, error) {
	m.WriteHeader(http.StatusOK)
	return m.body.Write(p)
}

// contentDisposition names the picture after its original's path, with the extension of the result
// (getFileNameWithExtension in next/dist/server/image-optimizer.js).
func contentDisposition(kind, source, contentType string) string {
	u, err := url.Parse(source)
	if err != nil {
		return kind
	}
	name := path.Base(u.Path)
	name = strings.TrimSuffix(name, path.Ext(name))
	if extension := imageExtensions[contentType]; extension != "" {
		name += extension
	}
	if header := mime.FormatMediaType(kind, map[string]string{"filename": name}); header != "" {
		return header
	}
	return kind
}

var imageExtensions = map[string]string{
	"image/avif": ".avif", "image/webp": ".webp", "image/png": ".png", "image/jpeg": ".jpeg", "image/gif": ".gif",
	"image/svg+xml": ".svg", "image/x-icon": ".ico", "image/bmp": ".bmp", "image/tiff": ".tiff",
}

// notModified answers 304 if the client has the picture that was sent with header; a nil header
// stands for none.
func notModified(w http.ResponseWriter, r *http.Request, header http.Header) bool {
	if header == nil || r.Header["If-None-Match"] == nil {
		return false
	}
	answer := &madeImage{header: header.Clone()}
	http.ServeContent(answer, r, "", time.Time{}, bytes.NewReader(nil))
	if answer.status != http.StatusNotModified {
		return false
	}
	maps.Copy(w.Header(), answer.header)
	w.WriteHeader(http.StatusNotModified)
	return true
}

// seenImages remembers the headers of pictures that were made of the deployment's own files, by
// query and Accept: a client that has the picture gets a 304 without a process making it again.
// Originals elsewhere may change, so those are made.
type seenImages struct {
	mu     sync.Mutex
	header map[string]http.Header
}

// mostSeenImages bounds the memory to some hundred KiB per deployment; beyond it the list starts
// again empty.
const mostSeenImages = 1024

func (s *seenImages) findHeader(query string) http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.header[query]
}

func (s *seenImages) add(query string, header http.Header) {
	if len(query) > 1024 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.header == nil || len(s.header) >= mostSeenImages {
		s.header = map[string]http.Header{}
	}
	s.header[query] = header
}
