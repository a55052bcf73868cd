package opennext

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

const (
	serversDir     = "server-functions"
	middlewareDir  = "middleware"
	middlewareFile = "handler.mjs"
)

// Laid returns the functions of a tree by the paths of its files alone, in Parse's order, so
// that they are known before the files arrive. It sets Name, Dir, Handler, Image and Edge. The
// paths are reliable: OpenNext names a server bundle's folder after its function
// (build/generateOutput.js), writes a middleware folder only for external middleware
// (build/createMiddleware.js), and empties .open-next before each build (build/helper.js,
// initOutputDir).
func Laid(paths iter.Seq[string]) []anchor.Function {
	found := map[string]anchor.Function{}
	for path := range paths {
		if f, ok := laidFunction(path); ok {
			found[f.Dir] = f
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b anchor.Function) int {
		return cmp.Or(cmp.Compare(functionRank(a), functionRank(b)), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Dir, b.Dir))
	})
}

// laidFunction returns the function that the file belongs to; ok is false when there is none.
func laidFunction(path string) (f anchor.Function, ok bool) {
	top, rest, nested := strings.Cut(path, "/")
	f = anchor.Function{Dir: top, Handler: "index.handler"}
	switch {
	case !nested:
		return f, false
	case top == serverDirV2:
		f.Name = anchor.ServerFunction
	case top == imageDir:
		f.Name, f.Image = anchor.ImageFunction, true
	case top == middlewareDir:
		f.Name, f.Handler, f.Edge = anchor.MiddlewareFunction, "handler.handler", true
		return f, rest == middlewareFile
	case top == serversDir:
		f.Name, _, nested = strings.Cut(rest, "/")
		f.Dir += "/" + f.Name
		return f, nested
	default:
		return f, false
	}
	return f, true
}

// functionRank is the place of a function in the order of readFunctions.
func functionRank(f anchor.Function) int {
	switch {
	case f.Edge:
		return 3
	case f.Image:
		return 1
	case f.Name == anchor.ServerFunction:
		return 0
	}
	return 2
}
