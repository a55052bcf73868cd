package opennext

import "fmt"

// Warnings returns a line for each way in which OpenNext applies the app's rules differently
// from Next.js on every platform.
func (r *FileRules) Warnings() []string {
	var warnings []string
	for _, warning := range []string{r.warnMismatched(), r.warnConditions()} {
		if warning != "" {
			warnings = append(warnings, warning)
		}
	}
	return warnings
}

// warnConditions returns a warning of matchers with conditions: OpenNext compares their pattern only
// (utils/regex.js, getMiddlewareMatch). "" when there are none.
func (r *FileRules) warnConditions() string {
	if len(r.conditions) == 0 {
		return ""
	}
	return fmt.Sprintf("OpenNext ignores has and missing in the middleware's matcher, so the middleware runs for every request that matches %s. Test the conditions in the middleware itself",
		firstOf(r.conditions))
}
