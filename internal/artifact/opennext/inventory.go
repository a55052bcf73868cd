package opennext

import (
	"cmp"
	"iter"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Kinds of routes.
const (
	PageRoute = "page" // renders HTML
	APIRoute  = "api"  // a route handler or an API route
)

// Inventory is what a build consists of, by the paths and sizes of its files alone: it needs no content, so it is
// known for every deployment whose manifest is kept.
type Inventory struct {
	Functions []SizedFunction // in Parse's order
	Routes    []SizedRoute    // by path
	Static    Sum             // files that are served as they are
	All       Sum             // all files, the incremental cache too
}

// Sum counts files.
type Sum struct {
	Files int
	Bytes int64
}

func (s *Sum) add(size int64) { s.Files, s.Bytes = s.Files+1, s.Bytes+size }

// SizedFunction is a function with the files of its bundle.
type SizedFunction struct {
	anchor.Function
	Sum
}

// SizedRoute is a route of the app as its folders spell it: "/products/[slug]". The base path is not part of it.
type SizedRoute struct {
	Path        string
	Kind        string // PageRoute or APIRoute
	Function    string
	Bytes       int64 // of its own module; what routes share is in its function's size
	Prerendered Sum   // pages that the build has rendered
}

// Sized is a file of a build.
type Sized struct {
	Path string
	Size int64
}

// TakeInventory counts the files of a build.
func TakeInventory(files iter.Seq[Sized]) Inventory {
	var all []Sized
	for f := range files {
		all = append(all, f)
	}
	inv := Inventory{Functions: sizeFunctions(all)}
	routes := map[string]*SizedRoute{}
	for _, f := range all {
		inv.All.add(f.Size)
		switch name, below, _ := strings.Cut(f.Path, "/"); {
		case name == assetsDir && IsPublic(below):
			inv.Static.add(f.Size)
		case name != assetsDir && name != cacheDir:
			addRoute(routes, f)
		}
	}
	for _, f := range all {
		if page, ok := prerenderedPage(f.Path); ok {
			if r := routeOfPage(routes, page); r != nil {
				r.Prerendered.add(f.Size)
			}
		}
	}
	for _, at := range slices.Sorted(maps.Keys(routes)) {
		inv.Routes = append(inv.Routes, *routes[at])
	}
	return inv
}

func sizeFunctions(files []Sized) (sized []SizedFunction) {
	for _, f := range Laid(func(yield func(string) bool) {
		for _, f := range files {
			if !yield(f.Path) {
				return
			}
		}
	}) {
		one := SizedFunction{Function: f}
		for _, file := range files {
			if strings.HasPrefix(file.Path, f.Dir+"/") {
				one.add(file.Size)
			}
		}
		sized = append(sized, one)
	}
	return sized
}

// Where Next.js puts the module of a route in the bundle of a function (next/dist/build/webpack/plugins/
// pages-manifest-plugin.js): pages/…, app/…/page.js and app/…/route.js.
var (
	appModule   = regexp.MustCompile(`^(?:.+/)?\.next/server/app/(?:(.*)/)?(page|route)\.js$`)
	pagesModule = regexp.MustCompile(`^(?:.+/)?\.next/server/pages/(.+)\.(?:js|html)$`)
)

func addRoute(routes map[string]*SizedRoute, f Sized) {
	function, below, ok := bundleOf(f.Path)
	if !ok || strings.Contains(below, "node_modules/") {
		return
	}
	r := SizedRoute{Function: function, Bytes: f.Size, Kind: PageRoute}
	if found := appModule.FindStringSubmatch(below); found != nil {
		r.Path = appPath(found[1])
		if found[2] == "route" {
			r.Kind = APIRoute
		}
	} else if found := pagesModule.FindStringSubmatch(below); found != nil {
		r.Path = "/" + strings.TrimSuffix(found[1], "index")
		if r.Path != "/" {
			r.Path = strings.TrimSuffix(r.Path, "/")
		}
		if strings.HasPrefix(r.Path, "/api/") || r.Path == "/api" {
			r.Kind = APIRoute
		}
	}
	if r.Path == "" || strings.HasPrefix(path.Base(r.Path), "_") {
		return // _app, _document, _error, _not-found
	}
	// A split function may have a module that the server function has, too. Patterns lead to the split one.
	if before, known := routes[r.Path]; !known || before.Function == anchor.ServerFunction {
		routes[r.Path] = &r
	}
}

// bundleOf returns the function of a file and its path in the function's folder.
func bundleOf(name string) (function, below string, ok bool) {
	f, ok := laidFunction(name)
	if !ok || f.Edge || f.Image {
		return "", "", false
	}
	return f.Name, strings.TrimPrefix(name, f.Dir+"/"), true
}

// appPath returns the path of a folder of the app: groups "(shop)" and slots "@modal" are not part of it.
func appPath(folder string) string {
	at := "/"
	for part := range strings.SplitSeq(folder, "/") {
		isGroup := strings.HasPrefix(part, "(") && strings.HasSuffix(part, ")")
		if !isGroup && !strings.HasPrefix(part, "@") {
			at = path.Join(at, part)
		}
	}
	return at
}

// prerenderedPage returns the path of the page that a file of the incremental cache holds: cache/BUILD/about.cache, or
// since OpenNext 4 cache/BUILD/route-cache/KIND/HASH/$/about.cache.
func prerenderedPage(name string) (page string, ok bool) {
	below, isCache := strings.CutPrefix(name, cacheDir+"/")
	page, isEntry := strings.CutSuffix(below, ".cache")
	if !isCache || !isEntry || strings.HasPrefix(below, fetchDir+"/") {
		return "", false
	}
	if _, after, found := strings.Cut(page, "/$/"); found {
		page = after
	} else if _, page, ok = strings.Cut(page, "/"); !ok {
		return "", false
	}
	if page == "index" {
		page = ""
	}
	return "/" + page, true
}

// routeOfPage returns the route that renders a page: the one with this path, else the one with the fewest parameters that
// matches. A page of the pages router may have the locale before its path.
func routeOfPage(routes map[string]*SizedRoute, page string) *SizedRoute {
	for _, at := range []string{page, localized.ReplaceAllString(page, "/$1")} {
		if r, ok := routes[at]; ok {
			return r
		}
		var best *SizedRoute
		for _, r := range routes {
			if matchesRoute(r.Path, at) && (best == nil || cmp.Or(cmp.Compare(strings.Count(r.Path, "["), strings.Count(best.Path, "[")), cmp.Compare(r.Path, best.Path)) < 0) {
				best = r
			}
		}
		if best != nil {
			return best
		}
	}
	return nil
}

// localized matches a page below a locale: a language tag (RFC 5646, section 2.1) of a primary subtag and others.
var localized = regexp.MustCompile(`^/[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*(?:/(.*))?$`)

// matchesRoute reports whether a path fits a route's segments: "[id]" is one, "[...all]" at least one, "[[...all]]" any.
func matchesRoute(route, at string) bool {
	parts, given := strings.Split(route, "/"), strings.Split(at, "/")
	for i, part := range parts {
		switch {
		case strings.HasPrefix(part, "[[..."):
			return true
		case strings.HasPrefix(part, "[..."):
			return len(given) > i
		case i >= len(given), !strings.HasPrefix(part, "[") && part != given[i]:
			return false
		}
	}
	return len(parts) == len(given)
}
