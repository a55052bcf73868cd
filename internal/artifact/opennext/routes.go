package opennext

import (
	"regexp"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

const everything = "*"

// readRoutes keeps the order of the behaviors but for "*", the default of CloudFront,
// which stands before the patterns of the static files.
func readRoutes(out output, basePath string) ([]anchor.Route, error) {
	var routes []anchor.Route
	var rest *anchor.Route
	seen := map[string]bool{}
	for _, b := range out.Behaviors {
		route, err := readRoute(out, b, basePath)
		if err != nil {
			return nil, err
		}
		switch {
		case seen[route.Pattern], !isPublic(route, basePath):
			continue
		case route.Pattern == everything:
			rest = &route
		default:
			routes = append(routes, route)
		}
		seen[route.Pattern] = true
	}
	if rest == nil {
		return nil, anchor.Invalid("no_default_route", "%s has no behavior for %q", outputFile, everything).
			Hintf(buildAgain)
	}
	return slices.Concat(routes, []anchor.Route{*rest}), nil
}

// IsPublic reports whether visitors may get a file, by its path in the folder of static files. Of
// what OpenNext puts there, BUILD_ID is for the tool that deploys.
func IsPublic(name string) bool { return name != "BUILD_ID" }

// isPublic reports whether a route leads to what visitors may get.
func isPublic(route anchor.Route, basePath string) bool {
	return route.Function != "" || IsPublic(strings.TrimPrefix(route.Pattern, normalizePattern(basePath+"/")))
}

func readRoute(out output, b behavior, basePath string) (anchor.Route, error) {
	route := anchor.Route{Pattern: normalizePattern(b.Pattern), Function: b.Origin, Middleware: b.EdgeFunction}
	if route.Pattern == "" || len(route.Pattern) > 1024 {
		return route, anchor.Invalid("bad_pattern", "%s has a behavior for %q", outputFile, b.Pattern).
			Hintf("In open-next.config.ts, set patterns for each function, such as \"api/*\".")
	}
	if _, known := out.Origins[b.Origin]; !known {
		return route, anchor.Invalid("unknown_origin", "%s sends %q to the origin %q, which it does not have", outputFile, b.Pattern, b.Origin).
			Hintf(buildAgain)
	}
	if _, known := out.EdgeFunctions[b.EdgeFunction]; !known && b.EdgeFunction != "" {
		return route, anchor.Invalid("unknown_origin", "%s runs the edge function %q before %q, which it does not have", outputFile, b.EdgeFunction, b.Pattern).
			Hintf(buildAgain)
	}
	all := route.Pattern == everything || route.Pattern == strings.TrimPrefix(basePath+"/*", "/")
	if all && b.Origin != anchor.ServerFunction {
		return route, anchor.Invalid("function_without_patterns", "the function %s handles all paths", b.Origin).
			Hintf("List its paths under functions.%s.patterns in open-next.config.ts, such as \"api/*\".", b.Origin)
	}
	if b.Origin == staticOrigin {
		route.Function = ""
	}
	return route, nil
}

var slashes = regexp.MustCompile(`//+`)

// normalizePattern removes the double slash that generateOutput.js leaves between a base path and a
// pattern with a leading slash: "docs//api/*".
func normalizePattern(pattern string) string {
	return strings.TrimPrefix(slashes.ReplaceAllString(pattern, "/"), "/")
}
