package function

import (
	"embed"
	"errors"
	"fmt"
	"slices"
)

// The modules import one another; the first is the one that the entry imports.
var (
	//go:embed entry/guard.mjs entry/answer.mjs entry/halfway.mjs entry/image.mjs entry/request.mjs entry/incremental.mjs entry/invalidation.mjs entry/length.mjs entry/surface.mjs entry/cloudfront.mjs entry/sign.mjs entry/revalidate.mjs
	entryModules embed.FS
	//go:embed entry/middleware.mjs entry/thread.mjs entry/edge.mjs entry/edgeevent.mjs entry/routes.mjs entry/relay.mjs
	middlewareModules embed.FS
)

// Names of our files in a bundle.
const (
	entryModule      = "anchor-entry.mjs"
	middlewareModule = "anchor-middleware.mjs"
	middlewareFolder = "anchor-middleware"
	ownFolder        = "anchor-modules"
	entryHandler     = "anchor-entry.handler"
)

// written is a file that is not part of the artifact.
type written struct{ name, content string }

// entryFiles returns the files that are added to the bundle of a function that answers HTTP. The
// guard is imported first, so that it removes the secret from the environment, and wraps
// OpenNext's ports, before the app runs. The middleware follows, which loads while the app does.
func entryFiles(p part) []written {
	module, export := p.handlerModule()
	if p.middleware == nil {
		entry := fmt.Sprintf("import { guard } from %q;\nimport * as app from %q;\n\nexport const handler = guard(app[%q] ?? app.default?.[%q], { warmer: %t });\n",
			"./"+ownFolder+"/guard.mjs", "./"+module, export, export, p.warmer)
		return append([]written{{entryModule, entry}}, ownFiles...)
	}
	entry := fmt.Sprintf("import { guard } from %q;\nimport { ready, before } from %q;\nimport * as app from %q;\n\n"+
		"await ready;\nexport const handler = guard(app[%q] ?? app.default?.[%q], { before, warmer: %t });\n",
		"./"+ownFolder+"/guard.mjs", "./"+middlewareModule, "./"+module, export, export, p.warmer)
	return slices.Concat([]written{{entryModule, entry}, {middlewareModule, p.middleware.moduleSource()}}, ownFiles, middlewareFiles)
}

var (
	ownFiles        = readEmbedded(entryModules)
	middlewareFiles = readEmbedded(middlewareModules)
)

func readEmbedded(embedded embed.FS) (files []written) {
	modules, err := embedded.ReadDir("entry")
	for _, m := range modules {
		content, readErr := embedded.ReadFile("entry/" + m.Name())
		err = errors.Join(err, readErr)
		files = append(files, written{ownFolder + "/" + m.Name(), string(content)})
	}
	if err != nil {
		panic(err) // the compiler embedded them
	}
	return files
}

// lambdaHandler returns the handler that Lambda calls.
func (p part) lambdaHandler() string {
	if p.http {
		return entryHandler
	}
	return p.handler
}
