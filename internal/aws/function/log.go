package function

import (
	"cmp"
	"context"
)

// boundLog sets how long the function's log is kept: days, or those of the installation when it is 0.
// Otherwise Lambda creates the log group with the first line, and CloudWatch keeps it forever. A
// failure does not fail the deployment.
func (f *Functions) boundLog(ctx context.Context, function string, days int32) {
	days = cmp.Or(days, int32(f.LogDays))
	if days == 0 {
		return
	}
	group := logGroup(function)
	if err := f.ensureRetention(ctx, group, days); err != nil {
		f.Log.WarnContext(ctx, "the log of a function is kept for ever", "group", group, "error", err)
	}
}

func logGroup(function string) string { return "/aws/lambda/" + function }
