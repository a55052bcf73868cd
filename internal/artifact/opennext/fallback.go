package opennext

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// shells are the routes of the pages router with fallback: true, "/posts/[id]". Their build has
// the shell that visitors see while a page that was not prerendered is made. OpenNext 4.1
// stores it as an entry of the app router (createAssets.js: its .html has no .json), which
// Next.js refuses: "received non-pages cache entry in pages handler", a 500. Without the entry
// Next.js renders the shell on request.
type shells map[string]bool

func fallbackShells(tree fs.FS, b anchor.Build) (shells, error) {
	var manifest struct {
		Routes map[string]struct {
			Fallback any    `json:"fallback"`  // the shell's file, false, or null for "blocking"
			Data     string `json:"dataRoute"` // ends in .json for the pages router, in .rsc for the app router
		} `json:"dynamicRoutes"`
	}
	homes, err := nextHomes(tree, b)
	if err != nil {
		return nil, err
	}
	for _, home := range append([]string{revalidationDir}, homes...) {
		err := readJSON(tree, path.Join(home, "prerender-manifest.json"), maxManifest, &manifest)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	found := shells{}
	for route, r := range manifest.Routes {
		if file, ok := r.Fallback.(string); ok && file != "" && strings.HasSuffix(r.Data, ".json") {
			found[route] = true
		}
	}
	return found, nil
}

// hasShell reports whether a file of the cache, "/posts/[id].cache" below the build's folder, is the shell of a route. It may
// stand below a language, and in builds that scope their keys below "/route-cache/PAGES/<hash>/$".
func (s shells) hasShell(file string) bool {
	name, entry := strings.CutSuffix(file, ".cache")
	if !entry || len(s) == 0 {
		return false
	}
	if scope, route, scoped := strings.Cut(name, "/$/"); scoped {
		if !strings.HasPrefix(scope, "/route-cache/PAGES/") {
			return false
		}
		name = "/" + route
	}
	_, inLanguage, _ := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	return s[name] || s["/"+inLanguage]
}
