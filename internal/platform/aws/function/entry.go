package function

import (
	_ "embed"
	"fmt"
)

//go:embed entry/guard.mjs
var guardModule string

// Names of ours in a bundle.
const (
	entryModule  = "anchor-entry.mjs"
	guardFile    = "anchor-guard.mjs"
	entryHandler = "anchor-entry.handler"
)

// written is a file that is not in the artifact.
type written struct{ name, content string }

// entryFiles are put into the bundle of a function that answers HTTP. The guard is
// imported first, so that it takes the secret from the environment before the app runs.
func entryFiles(p part) []written {
	module, export := p.module()
	entry := fmt.Sprintf("import { guard } from %q;\nimport * as app from %q;\n\nexport const handler = guard(app[%q] ?? app.default?.[%q]);\n",
		"./"+guardFile, "./"+module, export, export)
	return []written{{entryModule, entry}, {guardFile, guardModule}}
}

// lambdaHandler is what Lambda calls.
func (p part) lambdaHandler() string {
	if p.http {
		return entryHandler
	}
	return p.handler
}
