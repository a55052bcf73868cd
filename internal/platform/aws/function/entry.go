package function

import (
	"embed"
	"errors"
	"fmt"
)

// entryModules need each other; guard.mjs is the one that is imported.
//
//go:embed entry/guard.mjs entry/request.mjs entry/invalidation.mjs entry/surface.mjs entry/cloudfront.mjs entry/sign.mjs entry/revalidate.mjs
var entryModules embed.FS

// Names of ours in a bundle.
const (
	entryModule  = "anchor-entry.mjs"
	ownFolder    = "anchor-modules"
	entryHandler = "anchor-entry.handler"
)

// written is a file that is not in the artifact.
type written struct{ name, content string }

// entryFiles are put into the bundle of a function that answers HTTP. The guard is
// imported first, so that it takes the secret from the environment, and is in OpenNext's
// ports, before the app runs.
func entryFiles(p part) []written {
	module, export := p.module()
	entry := fmt.Sprintf("import { guard } from %q;\nimport * as app from %q;\n\nexport const handler = guard(app[%q] ?? app.default?.[%q]);\n",
		"./"+ownFolder+"/guard.mjs", "./"+module, export, export)
	return append([]written{{entryModule, entry}}, ownFiles...)
}

var ownFiles = func() (files []written) {
	modules, err := entryModules.ReadDir("entry")
	for _, m := range modules {
		content, readErr := entryModules.ReadFile("entry/" + m.Name())
		err = errors.Join(err, readErr)
		files = append(files, written{ownFolder + "/" + m.Name(), string(content)})
	}
	if err != nil {
		panic(err) // the compiler put them there
	}
	return files
}()

// lambdaHandler is what Lambda calls.
func (p part) lambdaHandler() string {
	if p.http {
		return entryHandler
	}
	return p.handler
}
