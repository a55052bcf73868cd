package opennext

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

const middlewareName = "the middleware"

// routesManifest is the part of .next/routes-manifest.json that concerns files.
type routesManifest struct {
	Redirects []route       `json:"redirects"`
	Headers   []route       `json:"headers"`
	Rewrites  rewritesField `json:"rewrites"`
	I18n      struct {
		Locales         []string `json:"locales"`
		LocaleDetection *bool    `json:"localeDetection"` // nil: on
	} `json:"i18n"`
}

type route struct {
	Source   string        `json:"source"`
	Regex    string        `json:"regex"`
	Internal bool          `json:"internal"` // of Next.js: trailing slashes
	Has      []condition   `json:"has"`
	Missing  []condition   `json:"missing"`
	Headers  []routeHeader `json:"headers"`
}

// condition is an element of has or missing.
type condition struct {
	Type string `json:"type"` // "header", "cookie", "query" or "host"
	Key  string `json:"key"`
}

type routeHeader struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// rewritesField holds the rewrites that run before files, and those that run after them.
// An array, which next.config may have as well, holds afterFiles rewrites only.
type rewritesField struct{ BeforeFiles, Later []route }

func (f *rewritesField) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		return json.Unmarshal(data, &f.Later)
	}
	var object struct {
		BeforeFiles []route `json:"beforeFiles"`
		AfterFiles  []route `json:"afterFiles"`
		Fallback    []route `json:"fallback"`
	}
	err := json.Unmarshal(data, &object)
	f.BeforeFiles, f.Later = object.BeforeFiles, slices.Concat(object.AfterFiles, object.Fallback)
	return err
}

// matchers of the middleware stand in middleware-manifest.json for the edge runtime and
// in functions-config-manifest.json for Node.js.
type middlewareManifest struct {
	Middleware map[string]middlewareEntry `json:"middleware"`
}

type functionsManifest struct {
	Functions map[string]middlewareEntry `json:"functions"`
}

type middlewareEntry struct {
	Matchers []struct {
		Regexp         string `json:"regexp"`
		OriginalSource string `json:"originalSource"`
		Has            []any  `json:"has"`
		Missing        []any  `json:"missing"`
	} `json:"matchers"`
	Regexp string `json:"regexp"` // of Next.js 12
}

func (r *FileRules) readManifests(tree fs.FS, home string) error {
	var routes routesManifest
	if err := readJSON(tree, path.Join(home, ".next/routes-manifest.json"), maxManifest, &routes); errors.Is(err, fs.ErrNotExist) {
		r.undecided = "next.config, whose routes-manifest.json is not in the build"
	} else if err != nil {
		return err
	}
	r.readRoutes(routes)

	entries, err := readMiddlewares(tree, home)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		r.readMiddleware(entry)
	}
	return nil
}

// readMiddlewares reads the entries of the middleware, of either runtime.
func readMiddlewares(tree fs.FS, home string) ([]middlewareEntry, error) {
	var edge middlewareManifest
	if err := ignoreMissing(readJSON(tree, path.Join(home, ".next/server/middleware-manifest.json"), maxManifest, &edge)); err != nil {
		return nil, err
	}
	var node functionsManifest
	if err := ignoreMissing(readJSON(tree, path.Join(home, ".next/server/functions-config-manifest.json"), maxManifest, &node)); err != nil {
		return nil, err
	}
	entries := slices.Collect(maps.Values(edge.Middleware))
	if entry, found := node.Functions["/_middleware"]; found {
		entries = append(entries, entry)
	}
	return entries, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (r *FileRules) readRoutes(manifest routesManifest) {
	for _, redirect := range manifest.Redirects {
		if !redirect.Internal {
			r.decidePattern(fmt.Sprintf("the redirect %q", redirect.Source), redirect.Regex)
		}
	}
	for _, rewrite := range manifest.Rewrites.BeforeFiles {
		r.decidePattern(fmt.Sprintf("the beforeFiles rewrite %q", rewrite.Source), rewrite.Regex)
	}
	for _, header := range manifest.Headers {
		r.headers = append(r.headers, headerRule{
			name:    fmt.Sprintf("headers for %q", header.Source),
			pattern: newPathPattern(header.Regex),
			depends: len(header.Has) > 0 || len(header.Missing) > 0 || isInterpolated(header),
			headers: header.Headers,
		})
	}
	r.locales = manifest.I18n.Locales
	r.noteLocalized("the redirect", manifest.Redirects)
	r.noteLocalized("the rewrite", slices.Concat(manifest.Rewrites.BeforeFiles, manifest.Rewrites.Later))
	r.noteLocalized("headers for", manifest.Headers)
}

func (r *FileRules) decidePattern(name, pattern string) {
	r.deciding = append(r.deciding, fileRule{name, newPathPattern(pattern)})
}

// readMiddleware takes a middleware without matchers for one that runs before everything.
func (r *FileRules) readMiddleware(entry middlewareEntry) {
	if len(entry.Matchers) == 0 {
		r.decidePattern(middlewareName, entry.Regexp)
	}
	for _, matcher := range entry.Matchers {
		r.decidePattern(middlewareName, matcher.Regexp)
		r.noteMatcher(matcher.Regexp)
		if len(matcher.Has) > 0 || len(matcher.Missing) > 0 {
			r.conditions = append(r.conditions, strconv.Quote(matcher.OriginalSource))
		}
	}
}

var parameter = regexp.MustCompile(`:(\w+)`)

// isInterpolated reports whether a parameter of the source stands in a header
// (next/dist/shared/lib/router/utils/prepare-destination.js, compileNonPath). Groups
// without a name are numbered.
func isInterpolated(r route) bool {
	var names []string
	for _, match := range parameter.FindAllStringSubmatch(r.Source, -1) {
		names = append(names, match[1])
	}
	for i := range strings.Count(r.Source, "(") {
		names = append(names, strconv.Itoa(i))
	}
	for _, header := range r.Headers {
		for _, name := range names {
			if strings.Contains(header.Key+"\n"+header.Value, ":"+name) {
				return true
			}
		}
	}
	return false
}

// asksForFiles reports whether the bundles whose routing runs before pages look for files: the
// external middleware's, or those of all server functions.
func asksForFiles(tree fs.FS, build anchor.Build, external bool) (bool, error) {
	for _, f := range build.Functions {
		if f.Image || f.Edge != external {
			continue
		}
		code, err := bundleCode(tree, f)
		if err != nil {
			return false, err
		}
		if !bytes.Contains(code, []byte("maybeGetAssetResult")) {
			return false, nil
		}
	}
	return true, nil
}

// bundleCode is the module that holds the real handler of f.
func bundleCode(tree fs.FS, f anchor.Function) ([]byte, error) {
	home, err := bundleHome(tree, f)
	if err != nil {
		return nil, err
	}
	name := handlerFile(tree, f)
	if home != f.Dir {
		name = path.Join(home, path.Base(name))
	}
	code, err := readFile(tree, name, maxBundle)
	return code, ignoreMissing(err)
}
