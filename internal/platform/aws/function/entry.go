package function

import (
	"embed"
	"fmt"
	"path"
)

//go:embed entry
var entryModules embed.FS

// ownModules are those of entry that a bundle gets; guard.mjs needs all others.
var ownModules = []string{"guard.mjs", "request.mjs", "invalidation.mjs", "surface.mjs", "cloudfront.mjs", "sign.mjs", "revalidate.mjs"}

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
		"./"+path.Join(ownFolder, ownModules[0]), "./"+module, export, export)
	files := []written{{entryModule, entry}}
	for _, name := range ownModules {
		content, err := entryModules.ReadFile(path.Join("entry", name))
		if err != nil {
			panic(err) // a name above that is not in entry
		}
		files = append(files, written{path.Join(ownFolder, name), string(content)})
	}
	return files
}

// lambdaHandler is what Lambda calls.
func (p part) lambdaHandler() string {
	if p.http {
		return entryHandler
	}
	return p.handler
}
