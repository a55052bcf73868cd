package platformtest

import (
	_ "embed"
	"encoding/json"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

//go:embed testdata/server.mjs
var serverModule string

//go:embed testdata/middleware.mjs
var middlewareModule string

//go:embed testdata/image.mjs
var imageModule string

const (
	outputFile = "open-next.output.json"
	serverDir  = "server-functions/default/"
)

// App is the files of a tiny OpenNext tree by their path in it.
type App map[string]string

// NewApp returns an app whose front page, public file and hashed file contain its version, a
// word that can be part of a file's name. Its pages are those of testdata/server.mjs.
func NewApp(version string) App { return newApp(version, "") }

// NewAppUnder returns the app below a base path, "/docs".
func NewAppUnder(version, basePath string) App { return newApp(version, basePath) }

func newApp(version, basePath string) App {
	next := serverDir + ".next/"
	return App{
		outputFile: outputJSON(strings.TrimPrefix(basePath+"/", "/")),

		"assets/BUILD_ID":   version,
		"assets/public.txt": "public of " + version,
		"assets/_next/static/chunks/" + version + ".js": "chunk of " + version,
		"cache/" + version + "/index.cache":             "seed of " + version,

		serverDir + "index.mjs":             module(version, basePath),
		next + "required-server-files.json": `{"config": {"basePath": "` + basePath + `"}}`,
		next + "routes-manifest.json":       `{}`,
		next + "prerender-manifest.json":    `{"preview": {"previewModeId": "preview-of-` + version + `"}}`,
	}
}

// outputJSON is open-next.output.json of an app whose paths begin with prefix, "" or "docs/".
func outputJSON(prefix string) string {
	return encodeJSON(map[string]any{
		"edgeFunctions": map[string]any{},
		"origins": map[string]any{
			"s3": map[string]any{"type": "s3", "originPath": "_assets", "copy": []any{
				map[string]any{"from": ".open-next/assets", "to": path.Join("_assets", prefix), "cached": true, "versionedSubDir": prefix + "_next"},
				map[string]any{"from": ".open-next/cache", "to": "_cache", "cached": false},
			}},
			"default": functionJSON("default"),
		},
		"behaviors": []any{
			map[string]any{"pattern": "*", "origin": "default"},
			map[string]any{"pattern": prefix + "BUILD_ID", "origin": "s3"},
			map[string]any{"pattern": prefix + "_next/*", "origin": "s3"},
			map[string]any{"pattern": prefix + "public.txt", "origin": "s3"},
		},
		"additionalProps": map[string]any{},
	})
}

func functionJSON(name string) map[string]any {
	return map[string]any{
		"type": "function", "handler": "index.handler", "bundle": ".open-next/server-functions/" + name,
		"streaming": true, "wrapper": "aws-lambda-streaming", "converter": "aws-apigw-v2",
		"queue": "sqs", "incrementalCache": "s3", "tagCache": "dynamodb",
	}
}

func module(version, basePath string) string {
	return strings.NewReplacer(`"VERSION"`, `"`+version+`"`, `"BASEPATH"`, `"`+basePath+`"`).Replace(serverModule)
}

// With returns the app with one file changed.
func (a App) With(path, content string) App {
	changed := maps.Clone(a)
	changed[path] = content
	return changed
}

// Server returns the app with another module as its server function.
func (a App) Server(module string) App { return a.With(serverDir+"index.mjs", module) }

// Split returns the app with a split function for a pattern: the pages are the same and report
// version.
func (a App) Split(name, pattern, version string) App {
	split := a.editOutput(func(out map[string]any) {
		out["origins"].(map[string]any)[name] = functionJSON(name)
		behaviors := out["behaviors"].([]any)
		out["behaviors"] = slices.Insert(behaviors, 0, any(map[string]any{"pattern": pattern, "origin": name}))
	})
	for file, content := range a {
		if rest, found := strings.CutPrefix(file, serverDir); found {
			split["server-functions/"+name+"/"+rest] = content
		}
	}
	return split.With("server-functions/"+name+"/index.mjs", module(version, ""))
}

// Images returns the app with an image function that reports its version.
func (a App) Images(version string) App {
	const dir = "image-optimization-function/"
	return a.editOutput(func(out map[string]any) {
		out["origins"].(map[string]any)["imageOptimizer"] = map[string]any{
			"type": "function", "handler": "index.handler", "bundle": ".open-next/image-optimization-function",
			"streaming": false, "imageLoader": "s3", "wrapper": "aws-lambda", "converter": "aws-apigw-v2",
		}
		behaviors := out["behaviors"].([]any)
		out["behaviors"] = slices.Insert(behaviors, 0, any(map[string]any{"pattern": "_next/image*", "origin": "imageOptimizer"}))
	}).
		With(dir+"index.mjs", strings.Replace(imageModule, "VERSION", version, 1)).
		With(dir+"node_modules/@img/sharp-wasm32/package.json", `{"name": "@img/sharp-wasm32", "version": "0.34.5"}`)
}

// Warmer returns the app with a warmer, whose events its server function answers.
func (a App) Warmer() App {
	return a.editOutput(func(out map[string]any) {
		out["additionalProps"] = map[string]any{"warmer": map[string]any{"handler": "index.handler", "bundle": ".open-next/warmer-function"}}
	})
}

// Tagged returns the app with one page, "/tagged", that has one tag, "news".
func (a App) Tagged() App {
	return a.With("dynamodb-provider/dynamodb-cache.json",
		`[{"tag":{"S":"build/news"},"path":{"S":"build/tagged"},"revalidatedAt":{"N":"1"}}]`)
}

// Middleware returns the app with external middleware before every page.
func (a App) Middleware() App {
	return a.editOutput(func(out map[string]any) {
		out["edgeFunctions"] = map[string]any{"middleware": map[string]any{
			"bundle": ".open-next/middleware", "handler": "handler.handler", "pathResolver": "pattern-env",
			"wrapper": "aws-lambda", "converter": "aws-cloudfront",
		}}
		for _, b := range out["behaviors"].([]any) {
			b := b.(map[string]any)
			if origin := b["origin"]; origin != "s3" && origin != "imageOptimizer" {
				b["edgeFunction"] = "middleware"
			}
		}
	}).With("middleware/handler.mjs", middlewareModule+`// name:"aws-cloudfront" name:"aws-lambda"`)
}

func (a App) editOutput(change func(output map[string]any)) App {
	var out map[string]any
	if err := json.Unmarshal([]byte(a[outputFile]), &out); err != nil {
		panic(err) // the text is this file's own
	}
	change(out)
	return a.With(outputFile, encodeJSON(out))
}

func encodeJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps of strings
	}
	return string(text)
}

// Write lays the tree out in a folder of the test's own.
func (a App) Write(t testing.TB) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range a {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
