package edge

import (
	"iter"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/anchor-deploy/anchor/internal/local/edge/asset"
)

// While a function computes a page, a browser can load what its previous answer for the path named in
// Link fields: the edge sends those as 103 Early Hints (RFC 8297). An answer that needs no function
// is there at once and has no use for it.

const (
	mostHinted = 1024 // paths of a site
	mostHints  = 16   // links of a page
	longestURL = 1024 // octets of one link
)

// hints are the links that are sent early, by path. The zero value is empty.
type hints struct {
	mu     sync.Mutex
	byPath map[string][]string
}

func (t *hints) find(path string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byPath[path]
}

func (t *hints) store(path string, links []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(links) == 0 {
		delete(t.byPath, path)
		return
	}
	if t.byPath == nil {
		t.byPath = map[string][]string{}
	}
	if _, known := t.byPath[path]; !known && len(t.byPath) >= mostHinted {
		for other := range t.byPath {
			delete(t.byPath, other)
			break
		}
	}
	t.byPath[path] = links
}

// takesHints reports whether a client certainly expects a 103: a browser that opens a page. Other clients of
// HTTP/1.1 may take it for the answer (RFC 8297, section 3).
func takesHints(r *http.Request) bool {
	return r.Method == http.MethodGet && r.ProtoAtLeast(1, 1) && r.Header.Get("Sec-Fetch-Mode") == "navigate"
}

// hinting returns a function that sends a client the hints for a page before it calls the given one,
// and remembers those of its answer.
func (s *Site) hinting(function http.Handler, res *response, r *http.Request) http.Handler {
	if !res.outside || res.tunnel != nil || !takesHints(r) {
		return function
	}
	path := r.URL.Path
	res.learn = func(h http.Header) { s.hints.store(path, s.linksOf(h)) }
	links := s.hints.find(path)
	if len(links) == 0 {
		return function
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if leadsTo(w, res) {
			sendHints(res.ResponseWriter, links)
		}
		function.ServeHTTP(w, r)
	})
}

// leadsTo reports whether what is written to w reaches res: not if the answer only refreshes a stored
// one.
func leadsTo(w http.ResponseWriter, res *response) bool {
	for {
		if one, ok := w.(*response); ok {
			return one == res && res.status == 0
		}
		wrapped, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = wrapped.Unwrap()
	}
}

// sendHints sends a 103 that has no other fields.
func sendHints(w http.ResponseWriter, links []string) {
	h := w.Header()
	final := maps.Clone(h)
	clear(h)
	h["Link"] = links
	w.WriteHeader(http.StatusEarlyHints)
	clear(h)
	maps.Copy(h, final)
}

// linksOf returns the links of a page that everyone may know early: preloads of the site's hashed
// files, and connections to other hosts unless the page is one visitor's.
func (s *Site) linksOf(h http.Header) []string {
	if !asset.Is(h.Get("Content-Type"), "text/html") {
		return nil
	}
	private := len(h["Set-Cookie"]) > 0 || hasToken(h["Cache-Control"], "private") || hasToken(h["Cache-Control"], "no-store")
	var links []string
	for link := range eachLink(h["Link"]) {
		target, rel := parseLink(link)
		switch {
		case len(links) == mostHints || len(link) > longestURL:
			continue
		case rel == "preload" && s.hasHashed(target), rel == "preconnect" && !private:
			links = append(links, link)
		}
	}
	return links
}

// hasHashed reports whether a URL names a hashed file of the site itself.
func (s *Site) hasHashed(target string) bool {
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "" || u.Host != "" || !s.Assets.Hashed(u.Path) {
		return false
	}
	_, ok := s.Assets.Lookup(u.Path)
	return ok
}

// eachLink returns the links of all lines (RFC 8288, section 3): neither a comma between angle brackets
// nor one between quotes ends a link.
func eachLink(lines []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range lines {
			start, quoted, inURL := 0, false, false
			for i := range len(line) {
				switch c := line[i]; {
				case c == '"' && !inURL && (i == 0 || line[i-1] != '\\'):
					quoted = !quoted
				case c == '<' && !quoted:
					inURL = true
				case c == '>' && !quoted:
					inURL = false
				case c == ',' && !quoted && !inURL:
					if !yield(strings.TrimSpace(line[start:i])) {
						return
					}
					start = i + 1
				}
			}
			if !yield(strings.TrimSpace(line[start:])) {
				return
			}
		}
	}
}

// parseLink returns the target and the relation of a link; "" for what it does not understand.
func parseLink(link string) (target, rel string) {
	target, params, ok := strings.Cut(strings.TrimPrefix(link, "<"), ">")
	if !ok || !strings.HasPrefix(link, "<") {
		return "", ""
	}
	_, values, err := mime.ParseMediaType("x/x" + params)
	if err != nil {
		return "", ""
	}
	return target, strings.ToLower(values["rel"])
}
