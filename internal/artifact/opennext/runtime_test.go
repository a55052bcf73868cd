package opennext_test

import (
	"testing"
	"testing/fstest"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

func TestReadRuntime(t *testing.T) {
	const server = "server-functions/default/"
	build := anchor.Build{Functions: []anchor.Function{{Name: anchor.ServerFunction, Dir: "server-functions/default", Handler: "index.handler"}}}
	for name, c := range map[string]struct {
		files map[string]string
		want  opennext.Runtime
	}{
		"nothing":        {nil, opennext.Runtime{}},
		"engines":        {map[string]string{server + "package.json": `{"engines":{"node":"22.x"}}`}, opennext.Runtime{Engines: "22.x"}},
		"engines of npm": {map[string]string{server + "package.json": `{"engines":{"npm":"10"}}`}, opennext.Runtime{}},
		"odd engines":    {map[string]string{server + "package.json": `{"engines":["node >= 0.8"]}`}, opennext.Runtime{}},
		"not JSON":       {map[string]string{server + "package.json": `<<<`}, opennext.Runtime{}},
		"in a monorepo": {map[string]string{
			server + "index.mjs":             `export { handler } from "./apps/web/index.mjs";`,
			server + "apps/web/index.mjs":    "export const handler = 1",
			server + "apps/web/package.json": `{"engines":{"node":"^20"}}`,
			server + "package.json":          `{"engines":{"node":"18"}}`,
		}, opennext.Runtime{Engines: "^20"}},
		"Node-API runs on any": {map[string]string{server + "node_modules/a/a.node": "\x7fELF\x00napi_register_module_v1\x00napi_create_object\x00"}, opennext.Runtime{}},
		"an ABI":               {map[string]string{server + "node_modules/a/a.node": "\x7fELF\x00_ZN2v87Isolate\x00node_register_module_v127\x00"}, opennext.Runtime{ABI: 127}},
		"the ABI of the image function": {map[string]string{
			"image-optimization-function/node_modules/a/a.node": "node_register_module_v115\x00",
		}, opennext.Runtime{ABI: 115}},
		"bound to an unknown ABI": {map[string]string{server + "node_modules/a/a.node": "\x7fELF\x00_ZN4node19AddEnvironmentCleanupHook\x00"}, opennext.Runtime{Bound: true}},
		"a symbol without number": {map[string]string{server + "node_modules/a/a.node": "node_register_module_v\x00"}, opennext.Runtime{}},
	} {
		tree := fstest.MapFS{server + "index.mjs": {Data: []byte("export const handler = 1")}}
		for path, content := range c.files {
			tree[path] = &fstest.MapFile{Data: []byte(content)}
		}
		if got, err := opennext.ReadRuntime(tree, build); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, c.want)
		}
	}
}
