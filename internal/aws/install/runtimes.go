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

// runtimeWarnings names the functions of sites whose runtime AWS soon no longer supports. Without
// permission to list functions there are none: it is not a reason to refuse a status.
func (i *Installation) runtimeWarnings(ctx context.Context) []string {
	old := map[string][]string{}
	pages := lambdasdk.NewListFunctionsPaginator(lambdasdk.NewFromConfig(i.AWS), &lambdasdk.ListFunctionsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil
		}
		for _, f := range page.Functions {
			_, soon := anchor.RuntimeEnd(string(f.Runtime), i.now())
			if name := sdk.ToString(f.FunctionName); strings.HasPrefix(name, i.Name+"-") && soon {
				old[string(f.Runtime)] = append(old[string(f.Runtime)], name)
			}
		}
	}
	var warnings []string
	for _, runtime := range slices.Sorted(maps.Keys(old)) {
		names := old[runtime]
		day, _ := anchor.RuntimeEnd(runtime, i.now())
		slices.Sort(names)
		more := ""
		if len(names) > 3 {
			names, more = names[:3], fmt.Sprintf(" and %d more", len(names)-3)
		}
		warnings = append(warnings, fmt.Sprintf("AWS supports the runtime %s until %s. It runs %s%s. Deploy these projects again with a newer one: anchor projects set runtime=%s",
			runtime, day, strings.Join(names, ", "), more, anchor.RuntimeNode24))
	}
	return warnings
}

func (i *Installation) now() time.Time {
	if i.Now != nil {
		return i.Now()
	}
	return time.Now()
}
