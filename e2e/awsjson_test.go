package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// TestSameAnswersOnAWS runs the same commands on one machine and on AWS. Their --json output has
// the same members of the same types, so that scripts need not change.
func TestSameAnswersOnAWS(t *testing.T) {
	t.Parallel()
	apps := []string{platformtest.NewApp("one").Images("one").Write(t), platformtest.NewApp("two").Images("two").Write(t)}
	here := answers(t, up(t), apps)
	there := answers(t, onAWS(t).anchor, apps)
	for _, command := range slices.Sorted(maps.Keys(here)) {
		if diff := cmp.Diff(here[command], there[command]); diff != "" {
			t.Errorf("anchor %s --json differs (-local +aws):\n%s", command, diff)
		}
	}
}

// answers returns the shape of each command's output.
func answers(t *testing.T, a *anchor, apps []string) map[string][]string {
	t.Helper()
	first := ""
	shapes := map[string][]string{}
	for _, command := range []string{
		"deploy --project shop --commit 1f0c7be6f2bd --branch main --message first --prebuilt " + apps[0],
		"deploy --project shop --commit 2f0c7be6f2bd --branch main --message second --prebuilt " + apps[1],
		"deploy --project shop --prebuilt " + t.TempDir(),
		"rollback --project shop",
		"rollback --project shop nowhere",
		"promote --project shop FIRST",
		"deployments --project shop",
		"releases --project shop",
		"projects",
		"env set GREETING=ahoy --project shop",
		"env ls --project shop",
		"tokens list",
		"logs --project shop -n 1",
		"open --project shop",
		"status",
	} {
		args := strings.Fields(strings.Replace(command, "FIRST", first, 1))
		out, errs, code := a.run(append(args, "--json")...)
		var document any
		if err := json.Unmarshal([]byte(out), &document); err != nil || errs != "" {
			t.Fatalf("anchor %s ended with %d: %v\n%s%s", command, code, err, out, errs)
		}
		if id, ok := document.(map[string]any)["deploymentId"].(string); ok && first == "" {
			first = id
		}
		if command == "status" {
			delete(document.(map[string]any), "workers")   // processes of this machine; Lambda shows none
			delete(document.(map[string]any), "isolation") // of these processes; Lambda isolates each function
		}
		if items, ok := document.(map[string]any)["items"].([]any); ok && command == "tokens list" {
			for _, token := range items {
				delete(token.(map[string]any), "lastUsedAt") // would cost a write to DynamoDB
			}
		}
		command, _, _ = strings.Cut(command, " --prebuilt")
		shapes[command] = append(shape(document, ""), fmt.Sprintf("exit code: %d", code))
	}
	return shapes
}

// shape lists the members of a document with their types. The members of an object whose keys are
// data (the timings of steps, functions) count as one.
func shape(v any, at string) []string {
	lines := map[string]bool{}
	add := func(more []string) {
		for _, line := range more {
			lines[line] = true
		}
	}
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if strings.HasSuffix(at, ".timings") || strings.HasSuffix(at, ".functions") {
				name = "*"
			}
			add(shape(member, at+"."+name))
		}
	case []any:
		for _, item := range v {
			add(shape(item, at+"[]"))
		}
	default:
		add([]string{fmt.Sprintf("%s: %T", at, v)})
	}
	return slices.Sorted(maps.Keys(lines))
}
