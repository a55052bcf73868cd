package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/anchor-deploy/anchor/e2e"
)

// copyApp copies the storefront's OpenNext build unchanged: deploying writes the project into the
// app's folder, and the example's must stay clean.
func (l *lab) copyApp() (string, error) {
	dir, err := l.folder("app")
	if err != nil {
		return "", err
	}
	return dir, os.CopyFS(filepath.Join(dir, ".open-next"), os.DirFS(filepath.Join(l.storefront, ".open-next")))
}

// variants holds copies of the build until the run ends.
const variants = "bench/out"

// variant copies the build as another build of the same app with another label.
func (l *lab) variant(n int) (string, error) {
	// On the file system of the example, because unchanged files are linked to it.
	if err := os.MkdirAll(variants, 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(variants, "app")
	if err != nil {
		return "", err
	}
	return dir, e2e.Variant(l.storefront, dir, n)
}

// dynamicPageBundle is the compiled page /dynamic in the server's bundle.
const dynamicPageBundle = ".open-next/server-functions/default/.next/server/app/dynamic/page.js"

// editPage changes a text of one page in a copied build, keeping its length.
func editPage(app string) error {
	file := filepath.Join(app, filepath.FromSlash(dynamicPageBundle))
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	const before, after = "Rendered per request", "Rendered per visitor"
	if !bytes.Contains(text, []byte(before)) {
		return fmt.Errorf("%s does not say %q", file, before)
	}
	return os.WriteFile(file, bytes.ReplaceAll(text, []byte(before), []byte(after)), 0o644)
}

// cutHandler answers every request of the cut app.
const cutHandler = `export const handler = awslambda.streamifyResponse(async (event, stream) => {
  const head = { statusCode: 200, headers: { "content-type": "text/plain" } };
  awslambda.HttpResponseStream.from(stream, head).end("ok");
});
`

// cutApp copies the storefront's build with everything that Anchor itself stores of a deployment
// (static files, routes, functions, cache). It reduces the bundles to a handler that starts at
// once, so that hundreds can be probed.
func (l *lab) cutApp() (string, error) {
	dir, err := l.folder("cut")
	if err != nil {
		return "", err
	}
	src, dst := filepath.Join(l.storefront, ".open-next"), filepath.Join(dir, ".open-next")
	err = filepath.WalkDir(src, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(src, path)
		if err != nil {
			return err
		}
		to := filepath.Join(dst, rel)
		switch {
		case e.IsDir() && e.Name() == "node_modules" && strings.HasPrefix(filepath.ToSlash(rel), "server-functions/"):
			return filepath.SkipDir
		case e.IsDir():
			return os.MkdirAll(to, 0o755)
		case !e.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasPrefix(filepath.ToSlash(rel), "server-functions/") && e.Name() == "index.mjs" {
			text = []byte(cutHandler)
		}
		return os.WriteFile(to, text, 0o644)
	})
	return dir, err
}

func absolute(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	return abs
}
