package platformtest

import (
	_ "embed"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

//go:embed testdata/server.mjs
var serverModule string

const outputFile = `{
	"edgeFunctions": {},
	"origins": {
		"s3": {"type": "s3", "originPath": "_assets", "copy": [
			{"from": ".open-next/assets", "to": "_assets", "cached": true, "versionedSubDir": "_next"},
			{"from": ".open-next/cache", "to": "_cache", "cached": false}
		]},
		"default": {"type": "function", "handler": "index.handler", "bundle": ".open-next/server-functions/default",
			"streaming": true, "wrapper": "aws-lambda-streaming", "converter": "aws-apigw-v2",
			"queue": "sqs", "incrementalCache": "s3", "tagCache": "dynamodb"}
	},
	"behaviors": [
		{"pattern": "*", "origin": "default"},
		{"pattern": "_next/*", "origin": "s3"},
		{"pattern": "public.txt", "origin": "s3"}
	],
	"additionalProps": {}
}`

// App is the files of a tiny OpenNext tree by their path in it.
type App map[string]string

// NewApp gives an app whose front page, public file and hashed file tell its
// version, a word that can be part of a file's name.
func NewApp(version string) App {
	next := "server-functions/default/.next/"
	return App{
		"open-next.output.json": outputFile,

		"assets/BUILD_ID":   version,
		"assets/public.txt": "public of " + version,
		"assets/_next/static/chunks/" + version + ".js": "chunk of " + version,
		"cache/" + version + "/index.cache":             "seed of " + version,

		"server-functions/default/index.mjs": strings.Replace(serverModule, "VERSION", version, 1),
		next + "required-server-files.json":  `{"config": {"basePath": ""}}`,
		next + "prerender-manifest.json":     `{"preview": {"previewModeId": "preview-of-` + version + `"}}`,
	}
}

// With gives the app with one file changed.
func (a App) With(path, content string) App {
	changed := maps.Clone(a)
	changed[path] = content
	return changed
}

// Server gives the app with another module as its server function.
func (a App) Server(module string) App { return a.With("server-functions/default/index.mjs", module) }

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
