package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// matcherOfAll is the matcher of the storefront's middleware, which runs for every page, as it stands
// in JSON and in the bundle.
var matcherOfAll = regexp.MustCompile(`"\^\(\?:\\\\/\(_next\\\\/data.*?\[\\\\/#\\\\\?\]\?\$"`)

// NarrowMiddleware changes a copy of the storefront's build to that of an app whose middleware runs
// only for a few pages, so that the others may be shared.
func NarrowMiddleware(app string) error {
	server := filepath.Join(app, ".open-next", "server-functions", "default")
	for _, name := range []string{"middleware.mjs", ".next/server/middleware-manifest.json"} {
		file := filepath.Join(server, name)
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !matcherOfAll.Match(text) {
			return fmt.Errorf("%s has no matcher of all pages", name)
		}
		narrow := matcherOfAll.ReplaceAllLiteral(text, []byte(`"^/(members/.*|ab|gated)$"`))
		if err := os.WriteFile(file, narrow, 0o644); err != nil {
			return err
		}
	}
	return nil
}
