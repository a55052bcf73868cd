package opennext

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// functionsConfig is what Next.js writes of the options that pages and routes export
// (next/dist/build/index.js, functions-config-manifest.json).
type functionsConfig struct {
	Functions map[string]struct {
		MaxDuration float64 `json:"maxDuration"` // seconds
	} `json:"functions"`
}

const (
	functionsConfigName = "functions-config-manifest.json"
	maxFunctionsConfig  = 4 << 20
)

// MaxDurations returns the largest maxDuration of the routes of each function in seconds, by the
// function's name. Functions whose routes set none are not in it.
func MaxDurations(tree fs.FS, b anchor.Build) (map[string]int32, error) {
	longest := map[string]int32{}
	server, ok := b.Function(anchor.ServerFunction)
	if !ok {
		return longest, nil
	}
	home, err := bundleHome(tree, server)
	if err != nil {
		return nil, err
	}
	name := path.Join(home, ".next/server", functionsConfigName)
	text, err := readStart(tree, name, maxFunctionsConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return longest, nil
	}
	if err != nil {
		return nil, unreadableError(name, err)
	}
	var config functionsConfig
	if isConfig := json.Unmarshal(text, &config) == nil; !isConfig {
		return longest, nil // a form that this version does not know sets nothing
	}
	for route, options := range config.Functions {
		if options.MaxDuration < 1 {
			continue
		}
		function := FunctionOf(b, b.BasePath+routePath(route))
		longest[function] = max(longest[function], int32(min(options.MaxDuration, 1<<20)))
	}
	return longest, nil
}

// routePath returns the path of a page or route as the app's folders spell it: "/api/[id]".
func routePath(name string) string {
	for _, end := range []string{"/route", "/page"} {
		if cut, found := strings.CutSuffix(name, end); found {
			return path.Join("/", cut)
		}
	}
	return path.Join("/", name)
}

// FunctionOf returns the function that answers a path: that of the build's first matching route that has
// one, else the server function.
func FunctionOf(b anchor.Build, at string) string {
	at = strings.TrimPrefix(at, "/")
	for _, r := range b.Routes {
		pattern := regexp.QuoteMeta(strings.TrimPrefix(r.Pattern, "/"))
		pattern = strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(pattern)
		matched, err := regexp.MatchString("^"+pattern+"$", at)
		if err == nil && matched && r.Function != "" {
			return r.Function
		}
	}
	return anchor.ServerFunction
}
