// Package anchor_test holds the arrows between the packages, as
// docs/architecture.md draws them, against what `go list` says.
package anchor_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/anchor-deploy/anchor/"

// arrows says what of ours a package may import; "x/..." means x and all below.
// A package that is not named here fails the test: whoever adds one draws its arrows.
var arrows = map[string][]string{
	// The domain.
	"internal/anchor": {},

	// What knows nothing of deployments.
	"internal/durable":     {},
	"internal/keyed":       {},
	"internal/secret":      {"internal/anchor", "internal/durable"},
	"internal/staticfile":  {},
	"internal/jail":        {},
	"internal/egress":      {},
	"internal/worker":      {"internal/jail"},
	"internal/edge":        {"internal/edge/..."},
	"internal/edge/asset":  {"internal/staticfile"},
	"internal/logs":        {"internal/anchor"},
	"internal/isr":         {"internal/durable"},
	"internal/isr/awswire": {"internal/durable", "internal/isr"},
	"internal/awsretry":    {},
	"internal/awserror":    {},

	// Builds and their files.
	"internal/opennext": {"internal/anchor"},
	"internal/bundle":   {"internal/anchor", "internal/durable", "internal/keyed"},

	// The use-cases.
	"internal/deploy":   {"internal/anchor", "internal/bundle", "internal/opennext", "internal/release"},
	"internal/release":  {"internal/anchor", "internal/keyed"},
	"internal/project":  {"internal/anchor", "internal/secret"},
	"internal/access":   {"internal/anchor"},
	"internal/hostname": {"internal/anchor"},

	// The records.
	"internal/store":           {"internal/anchor"},
	"internal/store/sqlite":    {"internal/anchor", "internal/durable", "internal/store"},
	"internal/store/dynamo":    {"internal/anchor", "internal/awserror", "internal/store"},
	"internal/store/memory":    {"internal/anchor", "internal/store"},
	"internal/store/storetest": {"internal/anchor", "internal/store"},

	// Domains: DNS and certificates.
	"internal/dnscheck":         {"internal/anchor", "internal/hostname"},
	"internal/dnscheck/dnstest": {},
	"internal/acme":             {"internal/anchor", "internal/durable", "internal/hostname"},
	"internal/acme/acmetest":    {},

	// The platforms.
	"internal/platform/local":                     {"internal/anchor", "internal/bundle", "internal/deploy", "internal/durable", "internal/edge/...", "internal/egress", "internal/isr/...", "internal/jail", "internal/logs", "internal/opennext", "internal/worker"},
	"internal/platform/platformtest":              {"internal/anchor", "internal/bundle", "internal/deploy", "internal/release", "internal/opennext"},
	"internal/platform/aws":                       {"internal/anchor", "internal/bundle", "internal/deploy", "internal/platform/aws/..."},
	"internal/platform/aws/artifact":              {"internal/anchor", "internal/awserror", "internal/bundle", "internal/deploy", "internal/opennext"},
	"internal/platform/aws/asset":                 {"internal/anchor", "internal/awserror", "internal/bundle", "internal/deploy", "internal/opennext", "internal/staticfile"},
	"internal/platform/aws/certificate":           {"internal/anchor", "internal/awserror", "internal/hostname"},
	"internal/platform/aws/codebuild":             {"internal/anchor", "internal/awserror", "internal/deploy"},
	"internal/platform/aws/front":                 {"internal/anchor", "internal/awserror", "internal/deploy"},
	"internal/platform/aws/front/fronttest":       {"internal/anchor", "internal/awstest"},
	"internal/platform/aws/function":              {"internal/anchor", "internal/awserror", "internal/bundle", "internal/deploy", "internal/opennext"},
	"internal/platform/aws/function/functiontest": {"internal/anchor"},
	"internal/platform/aws/logtail":               {"internal/anchor", "internal/awserror"},

	// The API and its events on Lambda.
	"internal/httpapi":          {"internal/anchor", "internal/bundle", "internal/deploy", "internal/hostname", "internal/release", "internal/httpapi/..."},
	"internal/httpapi/wire":     {"internal/anchor", "internal/bundle", "internal/hostname"},
	"internal/httpapi/filepack": {"internal/anchor", "internal/bundle"},
	"internal/httpapi/apitest":  {"internal/..."},
	"internal/lambdafn":         {"internal/access", "internal/anchor", "internal/awserror", "internal/bundle", "internal/deploy", "internal/hostname", "internal/httpapi/...", "internal/project", "internal/release"},

	// The command line.
	"internal/cli":          {"internal/anchor", "internal/announce", "internal/apiclient", "internal/app", "internal/bundle", "internal/hostname", "internal/httpapi/wire", "internal/installation", "internal/opennext"},
	"internal/apiclient":    {"internal/anchor", "internal/bundle", "internal/httpapi/filepack", "internal/httpapi/wire"},
	"internal/announce":     {"internal/anchor", "internal/durable"},
	"internal/installation": {},
	"internal/companion":    {"internal/anchor", "internal/durable"},

	// An installation on AWS.
	"internal/stack":      {"internal/anchor", "internal/awserror", "internal/awsretry", "internal/installation"},
	"internal/stack/pack": {},

	// The composition roots.
	"internal/app":      {"internal/..."},
	"internal/awsapp":   {"internal/..."},
	"cmd/anchor":        {"internal/app", "internal/cli", "internal/companion", "internal/installation"},
	"cmd/anchor-aws":    {"internal/app", "internal/awsapp", "internal/cli"},
	"cmd/anchor-lambda": {"internal/anchor", "internal/awsretry", "internal/dnscheck", "internal/lambdafn", "internal/platform/aws/...", "internal/secret", "internal/store/dynamo"},

	// Tests, benchmarks, documents.
	"internal/awstest":  {"internal/awserror", "internal/awsretry", "internal/freeport"},
	"internal/freeport": {},
	"internal/leak":     {},
	"e2e":               {},
	"bench":             {"e2e", "internal/..."},
	"docs/generate":     {"internal/..."},
}

func TestArrows(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		from, ours := strings.CutPrefix(fields[0], module)
		if !ours {
			continue
		}
		may, named := arrows[from]
		if !named {
			t.Errorf("%s is not in the arrows: draw what it may import", from)
		}
		for _, to := range fields[1:] {
			if to, ours := strings.CutPrefix(to, module); ours && !allowed(may, to) {
				t.Errorf("%s imports %s, against its arrows", from, to)
			}
		}
	}
}

// TestTheServerIsFreeOfAWS holds what docs/decisions/0011 says of the memory of a server.
func TestTheServerIsFreeOfAWS(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "./cmd/anchor").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	for dependency := range strings.Lines(string(out)) {
		if strings.Contains(dependency, "/aws-sdk-go-v2/") {
			t.Errorf("cmd/anchor links %s", strings.TrimSpace(dependency))
		}
	}
}

func allowed(may []string, to string) bool {
	return slices.ContainsFunc(may, func(m string) bool {
		tree, all := strings.CutSuffix(m, "/...")
		return m == to || all && (to == tree || strings.HasPrefix(to, tree+"/"))
	})
}
