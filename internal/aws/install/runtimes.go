package install

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	lambdasdk "github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// runtimeEnds is when AWS ends support of a runtime (Lambda Developer Guide, "Lambda runtimes",
// "Deprecation date", read 2026-11).
var runtimeEnds = map[string]string{anchor.RuntimeNode22: "2027-04-30", anchor.RuntimeNode24: "2028-04-30"}

// warnBefore is how long before the end of a runtime commands begin to warn.
const warnBefore = 180 * 24 * time.Hour

// runtimeWarnings names the functions of sites whose runtime AWS soon no longer supports. Without
// permission to list functions there are none: it is no reason to refuse a status.
func (i *Installation) runtimeWarnings(ctx context.Context) []string {
	old := map[string][]string{}
	pages := lambdasdk.NewListFunctionsPaginator(lambdasdk.NewFromConfig(i.AWS), &lambdasdk.ListFunctionsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil
		}
		for _, f := range page.Functions {
			if name := sdk.ToString(f.FunctionName); strings.HasPrefix(name, i.Name+"-") && endsSoon(string(f.Runtime), i.now()) {
				old[string(f.Runtime)] = append(old[string(f.Runtime)], name)
			}
		}
	}
	var warnings []string
	for _, runtime := range slices.Sorted(maps.Keys(old)) {
		names := old[runtime]
		slices.Sort(names)
		more := ""
		if len(names) > 3 {
			names, more = names[:3], fmt.Sprintf(" and %d more", len(names)-3)
		}
		warnings = append(warnings, fmt.Sprintf("AWS supports the runtime %s until %s. It runs %s%s. Deploy these projects again with a newer one: anchor projects set runtime=%s",
			runtime, runtimeEnds[runtime], strings.Join(names, ", "), more, anchor.RuntimeNode24))
	}
	return warnings
}

func endsSoon(runtime string, now time.Time) bool {
	end, err := time.Parse(time.DateOnly, runtimeEnds[runtime])
	return err == nil && now.Add(warnBefore).After(end)
}

func (i *Installation) now() time.Time {
	if i.Now != nil {
		return i.Now()
	}
	return time.Now()
}
