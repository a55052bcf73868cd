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
	"internal/atomicfile":          {},
	"internal/keylock":             {},
	"internal/project/secret":      {"internal/anchor", "internal/atomicfile"},
	"internal/artifact/staticfile": {},
	"internal/local/worker/jail":   {},
	"internal/local/worker/egress": {},
	"internal/local/worker":        {"internal/local/worker/jail"},
	"internal/local/edge":          {"internal/local/edge/..."},
	"internal/local/edge/asset":    {"internal/artifact/staticfile"},
	"internal/local/logs":          {"internal/anchor"},
	"internal/local/isr":           {"internal/atomicfile"},
	"internal/local/isr/awswire":   {"internal/atomicfile", "internal/local/isr"},
	"internal/aws/awsretry":        {},
	"internal/aws/awserr":          {},

	// Builds and their files.
	"internal/artifact/opennext": {"internal/anchor"},
	"internal/artifact":          {"internal/anchor", "internal/atomicfile", "internal/keylock"},

	// The use-cases.
	"internal/deploy":  {"internal/anchor", "internal/artifact", "internal/artifact/opennext", "internal/release"},
	"internal/release": {"internal/anchor", "internal/keylock"},
	"internal/project": {"internal/anchor", "internal/project/secret"},
	"internal/access":  {"internal/anchor"},
	"internal/domains": {"internal/anchor"},

	// The records.
	"internal/records":             {"internal/anchor"},
	"internal/local/sqlite":        {"internal/anchor", "internal/atomicfile", "internal/records"},
	"internal/aws/dynamo":          {"internal/anchor", "internal/aws/awserr", "internal/records"},
	"internal/records/memory":      {"internal/anchor", "internal/records"},
	"internal/records/recordstest": {"internal/anchor", "internal/records"},

	// Domains: DNS and certificates.
	"internal/domains/dnscheck":         {"internal/anchor", "internal/domains"},
	"internal/domains/dnscheck/dnstest": {},
	"internal/local/acme":               {"internal/anchor", "internal/atomicfile", "internal/domains"},
	"internal/local/acme/acmetest":      {},

	// The platforms.
	"internal/local/sites":               {"internal/anchor", "internal/artifact", "internal/deploy", "internal/atomicfile", "internal/local/edge/...", "internal/local/worker/egress", "internal/local/isr/...", "internal/local/worker/jail", "internal/local/logs", "internal/artifact/opennext", "internal/local/worker"},
	"internal/deploy/platformtest":       {"internal/anchor", "internal/artifact", "internal/deploy", "internal/release", "internal/artifact/opennext"},
	"internal/aws":                       {"internal/anchor", "internal/artifact", "internal/deploy", "internal/aws/..."},
	"internal/aws/artifact":              {"internal/anchor", "internal/aws/awserr", "internal/artifact", "internal/deploy", "internal/artifact/opennext"},
	"internal/aws/asset":                 {"internal/anchor", "internal/aws/awserr", "internal/artifact", "internal/deploy", "internal/artifact/opennext", "internal/artifact/staticfile"},
	"internal/aws/certificate":           {"internal/anchor", "internal/aws/awserr", "internal/domains"},
	"internal/aws/codebuild":             {"internal/anchor", "internal/aws/awserr", "internal/deploy"},
	"internal/aws/front":                 {"internal/anchor", "internal/aws/awserr", "internal/deploy"},
	"internal/aws/front/fronttest":       {"internal/anchor", "internal/aws/awstest"},
	"internal/aws/function":              {"internal/anchor", "internal/aws/awserr", "internal/artifact", "internal/deploy", "internal/artifact/opennext"},
	"internal/aws/function/functiontest": {"internal/anchor"},
	"internal/aws/logtail":               {"internal/anchor", "internal/aws/awserr"},

	// The API and its events on Lambda.
	"internal/api":          {"internal/anchor", "internal/artifact", "internal/deploy", "internal/domains", "internal/release", "internal/api/..."},
	"internal/api/wire":     {"internal/anchor", "internal/artifact", "internal/domains"},
	"internal/api/filepack": {"internal/anchor", "internal/artifact"},
	"internal/api/apitest":  {"internal/..."},
	"internal/aws/lambda":   {"internal/access", "internal/anchor", "internal/aws/awserr", "internal/artifact", "internal/deploy", "internal/domains", "internal/api/...", "internal/project", "internal/release"},

	// The command line.
	"internal/cli":              {"internal/anchor", "internal/local/discovery", "internal/api/client", "internal/local/server", "internal/artifact", "internal/domains", "internal/api/wire", "internal/aws/installation", "internal/artifact/opennext"},
	"internal/api/client":       {"internal/anchor", "internal/artifact", "internal/api/filepack", "internal/api/wire"},
	"internal/local/discovery":  {"internal/anchor", "internal/atomicfile"},
	"internal/aws/installation": {},
	"internal/aws/companion":    {"internal/anchor", "internal/atomicfile"},

	// An installation on AWS.
	"internal/aws/install":      {"internal/anchor", "internal/aws/awserr", "internal/aws/awsretry", "internal/aws/installation"},
	"internal/aws/install/pack": {},

	// The composition roots.
	"internal/local/server":     {"internal/..."},
	"internal/aws/install/open": {"internal/..."},
	"cmd/anchor":                {"internal/local/server", "internal/cli", "internal/aws/companion", "internal/aws/installation"},
	"cmd/anchor-aws":            {"internal/local/server", "internal/aws/install/open", "internal/cli"},
	"cmd/anchor-lambda":         {"internal/anchor", "internal/aws/awsretry", "internal/domains/dnscheck", "internal/aws/lambda", "internal/aws/...", "internal/project/secret", "internal/aws/dynamo"},

	// Tests, benchmarks, documents.
	"internal/aws/awstest": {"internal/aws/awserr", "internal/aws/awsretry", "internal/testport"},
	"internal/testport":    {},
	"internal/testleak":    {},
	"e2e":                  {},
	"bench":                {"e2e", "internal/..."},
	"docs/generate":        {"internal/..."},
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
