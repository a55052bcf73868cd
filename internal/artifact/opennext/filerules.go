package opennext

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// FileRules are the rules of an app that run before its static files: Next.js' order is
// headers, redirects, middleware, beforeFiles rewrites, files.
type FileRules struct {
	// Asked reports that the functions decide which static file answers a request: bundles of
	// OpenNext 3.7 and later look for public files between beforeFiles rewrites and pages
	// (core/routingHandler.js, assetResolver). Others know nothing about files.
	Asked bool

	basePath   string
	locales    []string
	deciding   []fileRule
	headers    []headerRule
	localized  []string // the rules that mismatched names
	conditions []string // the matchers that unconditional names
	undecided  string   // what may concern any file, because the build does not say which; "" if nothing
}

// FileRule is what the rules mean for one file.
type FileRule struct {
	// Deciders name the rules that may answer in the file's place, or whose effect depends
	// on the request, such as `redirect "/old.txt"`.
	Deciders []string
	// Header are the headers of next.config that every answer with the file has.
	Header http.Header
}

// fileRule is a redirect, a beforeFiles rewrite or a matcher of the middleware.
type fileRule struct {
	name    string
	pattern pathPattern
}

type headerRule struct {
	name    string
	pattern pathPattern
	// depends reports that the headers need the request: a condition of has or missing, or
	// a parameter of the path in a value.
	depends bool
	headers []routeHeader
}

// ReadFileRules reads the manifests of the server function.
func ReadFileRules(tree fs.FS, build anchor.Build) (*FileRules, error) {
	rules := &FileRules{basePath: build.BasePath}
	if server, ok := build.Function(anchor.ServerFunction); ok {
		home, err := bundleHome(tree, server)
		if err != nil {
			return nil, err
		}
		if err := rules.readManifests(tree, home); err != nil {
			return nil, err
		}
	}
	external := slices.ContainsFunc(build.Functions, func(f anchor.Function) bool { return f.Edge })
	if external && !rules.hasMiddleware() {
		rules.undecided = middlewareName
	}
	var err error
	rules.Asked, err = asksForFiles(tree, build, external)
	return rules, err
}

// Locales are the app's, of i18n in next.config. A public file has a path below each, too.
func (r *FileRules) Locales() []string { return r.locales }

// Of returns what the rules mean for the file at path, which is below the base path,
// without a leading slash and not percent-encoded.
func (r *FileRules) Of(path string) FileRule {
	var found FileRule
	if r.undecided != "" {
		found.decidedBy(r.undecided)
	}
	spellings := r.spellingsOf(path)
	for _, rule := range r.deciding {
		if some, _ := rule.pattern.matchSpellings(spellings); some {
			found.decidedBy(rule.name)
		}
	}
	for _, rule := range r.headers {
		switch some, all := rule.pattern.matchSpellings(spellings); {
		case !some:
		case rule.depends || !all:
			found.decidedBy(rule.name)
		default:
			found.add(rule.headers)
		}
	}
	return found
}

func (f *FileRule) decidedBy(name string) {
	if !slices.Contains(f.Deciders, name) {
		f.Deciders = append(f.Deciders, name)
	}
}

// add replaces an earlier header of the same name, except Set-Cookie, as Next.js does
// (server/lib/router-utils/resolve-routes.js).
func (f *FileRule) add(headers []routeHeader) {
	if f.Header == nil {
		f.Header = http.Header{}
	}
	for _, h := range headers {
		if strings.EqualFold(h.Key, "Set-Cookie") {
			f.Header.Add(h.Key, h.Value)
			continue
		}
		f.Header.Set(h.Key, h.Value)
	}
}

// spellingsOf returns, in groups, the paths that a pattern may be compared with for one file:
// those of the path as sent or decoded, with and without a locale before it. Next.js puts the
// locale after the base path, OpenNext before it (core/routing/i18n, localizePath).
func (r *FileRules) spellingsOf(path string) spellings {
	plain := "/" + path
	encoded := (&url.URL{Path: plain}).EscapedPath()
	groups := spellings{{r.basePath + plain, r.basePath + encoded}}
	var behind, before []string
	for _, locale := range r.locales {
		behind = append(behind, r.basePath+"/"+locale+plain, r.basePath+"/"+locale+encoded)
		before = append(before, "/"+locale+r.basePath+plain, "/"+locale+r.basePath+encoded)
	}
	return append(groups, behind, before)
}

func (r *FileRules) hasMiddleware() bool {
	isMiddleware := func(rule fileRule) bool { return rule.name == middlewareName }
	return r.undecided != "" || slices.ContainsFunc(r.deciding, isMiddleware)
}

// Passed are files that a platform serves without the rules that Next.js would run before.
type Passed struct {
	files, rules []string
}

// Passed returns which of the files have rules that do not take effect: where
// headers is set, the headers of next.config, and else only those that decide about a file.
func (r *FileRules) Passed(paths []string, headers bool) Passed {
	var p Passed
	for _, path := range slices.Sorted(slices.Values(paths)) {
		rule := r.Of(path)
		names := rule.Deciders
		if headers && len(rule.Header) > 0 {
			names = append(slices.Clone(names), "headers of next.config")
		}
		if len(names) == 0 || path == "BUILD_ID" { // which is a file of the build alone
			continue
		}
		p.files = append(p.files, path)
		for _, name := range names {
			if !slices.Contains(p.rules, name) {
				p.rules = append(p.rules, name)
			}
		}
	}
	return p
}

// namedInWarning is how many files, and how many rules, a warning names.
const namedInWarning = 5

// Warning names the files and the rules in one line; "" when there are none.
func (p Passed) Warning() string {
	if len(p.files) == 0 {
		return ""
	}
	return fmt.Sprintf("static files are served past rules that Next.js runs first: %s. They are %s", firstOf(p.rules), firstOf(p.files))
}

func firstOf(names []string) string {
	text := strings.Join(names[:min(namedInWarning, len(names))], ", ")
	if more := len(names) - namedInWarning; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
