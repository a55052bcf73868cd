package function

import (
	"encoding/json"
	"fmt"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

// middleware is what OpenNext built to run at CloudFront's edge before the server functions.
// Anchor puts it into their zips and runs it in their processes, so it becomes live with them, in
// the same step (docs/decisions/0013).
type middleware struct {
	bundled
	routes []anchor.Route
	base   string
}

// middlewareOf returns a build's external middleware, or nil. The files are sorted.
func middlewareOf(b anchor.Build, sorted []artifact.File) *middleware {
	for _, fn := range b.Functions {
		if fn.Edge {
			return &middleware{bundled{dir: fn.Dir, handler: fn.Handler, files: filesBelow(sorted, fn.Dir)}, b.Routes, b.BasePath}
		}
	}
	return nil
}

// moduleSource returns the module that starts the middleware, see entry/middleware.mjs.
func (m *middleware) moduleSource() string {
	file, export := m.handlerModule()
	options := struct {
		Name   string   `json:"name"`
		Base   string   `json:"base"`
		Routes [][3]any `json:"routes"`
		Rest   [2]any   `json:"rest"`
	}{Name: export, Base: m.base, Routes: [][3]any{}, Rest: [2]any{anchor.ServerFunction, false}}
	for _, r := range m.routes {
		guarded := r.Middleware != ""
		if r.Pattern == "*" {
			options.Rest = [2]any{r.Function, guarded}
			continue
		}
		options.Routes = append(options.Routes, [3]any{"/" + r.Pattern, r.Function, guarded})
	}
	text, err := json.Marshal(options)
	if err != nil {
		panic(err) // strings and booleans always encode
	}
	return fmt.Sprintf("import { middleware } from %q;\n\nexport const { ready, before } = middleware({\n  module: new URL(%q, import.meta.url),\n  ...%s,\n});\n",
		"./"+ownFolder+"/middleware.mjs", "./"+middlewareFolder+"/"+file, text)
}
