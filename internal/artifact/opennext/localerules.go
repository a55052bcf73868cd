package opennext

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// warnMismatched returns a warning of rules that never apply in an app with both a base path and languages, "" when there are
// none. Next.js writes their patterns for "/docs/en/page", and OpenNext compares them with "/en/docs/page"
// (core/routing/i18n, localizePath).
func (r *FileRules) warnMismatched() string {
	if r.basePath == "" || len(r.locales) == 0 || len(r.localized) == 0 {
		return ""
	}
	return fmt.Sprintf("the app has basePath and i18n, with which OpenNext never applies %s: it compares them with %q where Next.js has %q. Have the middleware run without a matcher, and give the rules a second form with locale: false",
		firstOf(r.localized), "/"+r.locales[0]+r.basePath+"/…", r.basePath+"/"+r.locales[0]+"/…")
}

// internalLocale is what Next.js puts into the source of a rule unless it has locale: false
// (lib/load-custom-routes.js).
var internalLocale = regexp.MustCompile(`/:nextInternalLocale\([^)]*\)`)

// noteLocalized notes the rules of one kind that have a language in their pattern, except those
// next to a rule with locale: false and the same source. Rules with basePath: false have no
// language either.
func (r *FileRules) noteLocalized(kind string, routes []route) {
	for _, rule := range routes {
		source := internalLocale.ReplaceAllString(rule.Source, "")
		isTwin := func(other route) bool { return other.Source == source }
		if strings.HasPrefix(source, r.basePath+"/") && source != rule.Source && !slices.ContainsFunc(routes, isTwin) {
			r.localized = append(r.localized, fmt.Sprintf("%s %q", kind, source))
		}
	}
}

// noteMatcher notes a middleware whose pattern begins with the base path. One without matchers has a pattern that
// matches every path.
func (r *FileRules) noteMatcher(pattern string) {
	plain := strings.TrimPrefix(strings.ReplaceAll(pattern, `\`, ""), "^")
	if strings.HasPrefix(plain, r.basePath) && !slices.Contains(r.localized, middlewareName) {
		r.localized = slices.Insert(r.localized, 0, middlewareName) // of all rules the one that may guard pages
	}
}
