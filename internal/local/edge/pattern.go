package edge

import "strings"

const defaultPattern = "*"

// normalPattern returns a pattern with one leading slash and no doubled ones: with a basePath
// OpenNext writes "base//api/*". The default stays "*".
func normalPattern(p string) string {
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	p = strings.TrimPrefix(p, "/")
	if p == defaultPattern {
		return p
	}
	return "/" + p
}

// compileRoutes removes routes that cannot change an answer: the default, which has no place in the
// order, and static behaviours that no function follows, because a path that matches nothing is
// looked up among the static files anyway.
func compileRoutes(routes []Route) []Route {
	var out []Route
	functions := 0
	for _, r := range routes {
		r.Pattern = normalPattern(r.Pattern)
		if r.Pattern == defaultPattern {
			continue
		}
		if !r.Static && r.Target == nil {
			r.Target = noFunction
		}
		out = append(out, r)
		if !r.Static {
			functions = len(out)
		}
	}
	return out[:functions]
}

// matchesPattern reports whether path matches a CloudFront path pattern as a whole. It backs up to the
// last "*" only, so it takes at most len(pattern) × len(path) steps.
func matchesPattern(pattern, path string) bool {
	p, s := 0, 0
	star, mark := -1, 0
	for s < len(path) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, s
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == path[s]):
			p++
			s++
		case star >= 0:
			mark++
			p, s = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
