package opennext

import (
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Sharing says what the answers of an app's functions depend on beside the URL, as far as its
// manifests say so. A cache that visitors share has to know.
type Sharing struct {
	// Headers (canonical) and Cookies are those that conditions of redirects, rewrites and headers
	// name (has, missing), and those by which Next.js chooses the language.
	Headers, Cookies []string

	build    anchor.Build
	locales  []string
	matchers []pathPattern // of the middleware
	unknown  bool          // whether there is a middleware
}

// ReadSharing reads the manifests of the server function.
func ReadSharing(tree fs.FS, build anchor.Build) (*Sharing, error) {
	s := &Sharing{build: build}
	server, ok := build.Function(anchor.ServerFunction)
	if !ok {
		s.unknown = true
		return s, nil
	}
	home, err := bundleHome(tree, server)
	if err != nil {
		return nil, err
	}
	var routes routesManifest
	if err := readJSON(tree, path.Join(home, ".next/routes-manifest.json"), maxManifest, &routes); errors.Is(err, fs.ErrNotExist) {
		s.unknown = true
	} else if err != nil {
		return nil, err
	}
	s.readRoutes(routes)
	entries, err := readMiddlewares(tree, home)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		s.readMiddleware(entry)
	}
	return s, nil
}

func (s *Sharing) readRoutes(manifest routesManifest) {
	for _, rule := range slices.Concat(manifest.Redirects, manifest.Rewrites.BeforeFiles, manifest.Rewrites.Later, manifest.Headers) {
		for _, c := range slices.Concat(rule.Has, rule.Missing) {
			s.dependOn(c)
		}
	}
	s.locales = manifest.I18n.Locales
	if detects := manifest.I18n.LocaleDetection; len(s.locales) > 0 && (detects == nil || *detects) {
		s.dependOn(condition{Type: "header", Key: "Accept-Language"})
		s.dependOn(condition{Type: "cookie", Key: "NEXT_LOCALE"})
	}
}

// dependOn notes a condition. Those about the query and the host are about the URL.
func (s *Sharing) dependOn(c condition) {
	switch c.Type {
	case "header":
		if name := http.CanonicalHeaderKey(c.Key); !slices.Contains(s.Headers, name) {
			s.Headers = append(s.Headers, name)
		}
	case "cookie":
		if !slices.Contains(s.Cookies, c.Key) {
			s.Cookies = append(s.Cookies, c.Key)
		}
	}
}

func (s *Sharing) readMiddleware(entry middlewareEntry) {
	if len(entry.Matchers) == 0 {
		s.matchers = append(s.matchers, newPathPattern(entry.Regexp))
	}
	for _, matcher := range entry.Matchers {
		s.matchers = append(s.matchers, newPathPattern(matcher.Regexp))
	}
}

// HasMiddleware reports whether the app's middleware may run for some URL.
func (s *Sharing) HasMiddleware() bool { return s.unknown || len(s.matchers) > 0 }

// Guarded reports whether the middleware may run for a URL. A matcher with conditions counts
// whatever they are, as it does in OpenNext.
func (s *Sharing) Guarded(u *url.URL) bool {
	if s.unknown {
		return true
	}
	if len(s.matchers) == 0 {
		return false
	}
	paths := s.spellings(u)
	for _, matcher := range s.matchers {
		if some, _ := matcher.matchSpellings(paths); some {
			return true
		}
	}
	return false
}

// spellings returns the paths that OpenNext may compare with a matcher: as sent and decoded, that of
// the page for a data request (core/routing/matcher, fixDataPage), each also with a language before
// it or behind the base path.
func (s *Sharing) spellings(u *url.URL) spellings {
	var all []string
	for _, sent := range []string{u.EscapedPath(), u.Path} {
		all = append(all, sent)
		if page, ok := s.pageOfData(sent); ok {
			all = append(all, page)
		}
	}
	for _, plain := range slices.Clone(all) {
		below := strings.TrimPrefix(plain, s.build.BasePath)
		for _, locale := range s.locales {
			all = append(all, "/"+locale+plain, s.build.BasePath+"/"+locale+below)
		}
	}
	return spellings{all}
}

// pageOfData returns the path of the page whose data "/_next/data/<build>/<page>.json" is.
func (s *Sharing) pageOfData(data string) (string, bool) {
	_, name, ok := strings.Cut(data, "/_next/data/")
	if !ok {
		return "", false
	}
	_, name, ok = strings.Cut(name, "/")
	if !ok {
		return "", false
	}
	name = strings.TrimSuffix(name, ".json")
	if name == "index" {
		name = ""
	}
	return s.build.BasePath + "/" + name, true
}
