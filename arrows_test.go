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
// A package that is not named here fails the test: a new package needs its arrows here.
var arrows = map[string][]string{
	// The domain.
	"internal/anchor": {},

	// Tools that know nothing of deployments.
	"internal/atomicfile": {},
	"internal/keylock":    {},
	"internal/retry":      {},
	"internal/testleak":   {},
	"internal/testport":   {},

	// The spine: builds and their files.
	"internal/artifact":            {"internal/anchor", "internal/atomicfile", "internal/keylock"},
	"internal/artifact/build":      {"internal/anchor", "internal/artifact", "internal/artifact/opennext"},
	"internal/artifact/opennext":   {"internal/anchor"},
	"internal/artifact/staticfile": {},

	// The spine: the use-cases, and the records behind them.
	"internal/access":                   {"internal/anchor"},
	"internal/access/oidc":              {"internal/anchor"},
	"internal/access/oidc/oidctest":     {},
	"internal/access/passkey":           {"internal/anchor"},
	"internal/crons":                    {"internal/anchor"},
	"internal/deploy":                   {"internal/anchor", "internal/artifact", "internal/artifact/opennext", "internal/release", "internal/retry"},
	"internal/deploy/platformtest":      {"internal/anchor", "internal/artifact", "internal/artifact/opennext", "internal/deploy", "internal/release"},
	"internal/deploy/queue":             {"internal/anchor", "internal/deploy", "internal/keylock"},
	"internal/domains":                  {"internal/anchor"},
	"internal/domains/dnscheck":         {"internal/anchor", "internal/domains"},
	"internal/domains/dnscheck/dnstest": {},
	"internal/project":                  {"internal/anchor", "internal/project/secret"},
	"internal/project/secret":           {"internal/anchor", "internal/atomicfile"},
	"internal/records":                  {"internal/anchor"},
	"internal/records/memory":           {"internal/anchor", "internal/records"},
	"internal/records/recordstest":      {"internal/anchor", "internal/records"},
	"internal/release":                  {"internal/anchor", "internal/keylock", "internal/release/guard"},
	"internal/release/guard":            {"internal/anchor"},

	// The spine: the use-cases, wired.
	"internal/core": {"internal/access", "internal/anchor", "internal/artifact", "internal/deploy", "internal/domains", "internal/project", "internal/release"},

	// The spine: the API.
	"internal/api":          {"internal/access", "internal/anchor", "internal/api/...", "internal/artifact", "internal/deploy", "internal/domains", "internal/project", "internal/release"},
	"internal/api/apitest":  {"internal/..."},
	"internal/api/client":   {"internal/anchor", "internal/api/filepack", "internal/api/wire", "internal/artifact", "internal/retry"},
	"internal/api/filepack": {"internal/anchor", "internal/artifact"},
	"internal/api/mcp":      {"internal/anchor", "internal/api/client", "internal/api/wire"},
	"internal/api/wire":     {"internal/anchor", "internal/artifact", "internal/domains"},

	// The spine: the dashboard.
	"internal/dashboard": {"internal/anchor", "internal/api/client", "internal/api/wire"},

	// One machine.
	"internal/local/acme":            {"internal/anchor", "internal/atomicfile", "internal/domains", "internal/keylock", "internal/retry"},
	"internal/local/acme/acmetest":   {},
	"internal/local/alerts":          {"internal/anchor", "internal/local/outbound", "internal/retry"},
	"internal/local/builder":         {"internal/anchor", "internal/artifact", "internal/artifact/build", "internal/artifact/opennext", "internal/deploy", "internal/local/git", "internal/local/logs", "internal/local/worker", "internal/local/worker/cgroup", "internal/local/worker/jail"},
	"internal/local/discovery":       {"internal/anchor", "internal/atomicfile"},
	"internal/local/drains":          {"internal/anchor", "internal/local/otlp", "internal/local/outbound", "internal/retry"},
	"internal/local/edge":            {"internal/local/edge/..."},
	"internal/local/edge/accesslog":  {},
	"internal/local/edge/asset":      {"internal/artifact/staticfile"},
	"internal/local/edge/cache":      {"internal/local/edge/asset"},
	"internal/local/errorgroup":      {"internal/anchor", "internal/local/sqlite/side"},
	"internal/local/forge":           {"internal/anchor"},
	"internal/local/hooks":           {"internal/anchor", "internal/deploy", "internal/keylock", "internal/local/builder", "internal/local/forge", "internal/local/git", "internal/retry"},
	"internal/local/edge/meter":      {},
	"internal/local/previews":        {"internal/anchor", "internal/keylock"},
	"internal/local/git":             {"internal/anchor", "internal/atomicfile"},
	"internal/local/hooks/hookstest": {},
	"internal/local/isr":             {"internal/atomicfile"},
	"internal/local/isr/awswire":     {"internal/atomicfile", "internal/local/isr"},
	"internal/local/logs":            {"internal/anchor"},
	"internal/local/metrics":         {"internal/local/edge", "internal/local/edge/cache", "internal/local/edge/meter", "internal/local/worker"},
	"internal/local/series":          {"internal/local/edge", "internal/local/edge/meter", "internal/local/metrics", "internal/local/sqlite/side"},
	"internal/local/nodejs":          {"internal/anchor", "internal/artifact/opennext", "internal/atomicfile", "internal/local/worker"},
	"internal/local/otlp":            {"internal/anchor", "internal/local/outbound", "internal/retry"},
	"internal/local/outbound":        {"internal/retry"},
	"internal/local/server":          {"internal/..."},
	"internal/local/sites":           {"internal/anchor", "internal/artifact", "internal/artifact/opennext", "internal/atomicfile", "internal/deploy", "internal/local/edge/...", "internal/local/isr/...", "internal/local/logs", "internal/local/nodejs", "internal/local/worker", "internal/local/worker/cgroup", "internal/local/worker/egress", "internal/local/worker/jail", "internal/release"},
	"internal/local/sourcemaps":      {},
	"internal/local/sqlite":          {"internal/anchor", "internal/atomicfile", "internal/records"},
	"internal/local/sqlite/side":     {},
	"internal/local/worker":          {"internal/atomicfile", "internal/local/worker/cgroup", "internal/local/worker/jail"},
	"internal/local/worker/cgroup":   {},
	"internal/local/worker/egress":   {},
	"internal/local/worker/jail":     {},

	// One AWS account.
	"internal/aws":                       {"internal/anchor", "internal/artifact", "internal/aws/...", "internal/deploy", "internal/release", "internal/release/..."},
	"internal/aws/alarm":                 {"internal/anchor", "internal/aws/awserr"},
	"internal/aws/artifacts":             {"internal/anchor", "internal/artifact", "internal/artifact/opennext", "internal/aws/awserr", "internal/deploy", "internal/retry"},
	"internal/aws/asset":                 {"internal/anchor", "internal/artifact", "internal/artifact/opennext", "internal/artifact/staticfile", "internal/aws/awserr", "internal/deploy", "internal/retry"},
	"internal/aws/awserr":                {"internal/anchor"},
	"internal/aws/awstest":               {"internal/aws/awserr", "internal/testport"},
	"internal/aws/certificate":           {"internal/anchor", "internal/aws/awserr", "internal/domains", "internal/retry"},
	"internal/aws/codebuild":             {"internal/anchor", "internal/aws/awserr", "internal/deploy"},
	"internal/aws/codebuild/runner":      {"internal/anchor", "internal/artifact/build", "internal/artifact/opennext", "internal/aws/codebuild", "internal/deploy"},
	"internal/aws/companion":             {"internal/anchor", "internal/atomicfile"},
	"internal/aws/dynamo":                {"internal/anchor", "internal/aws/awserr", "internal/records", "internal/retry"},
	"internal/aws/front":                 {"internal/anchor", "internal/aws/awserr", "internal/deploy", "internal/retry"},
	"internal/aws/front/fronttest":       {"internal/anchor", "internal/aws/awstest"},
	"internal/aws/function":              {"internal/anchor", "internal/artifact", "internal/artifact/opennext", "internal/aws/awserr", "internal/deploy", "internal/retry"},
	"internal/aws/function/functiontest": {"internal/anchor"},
	"internal/aws/install":               {"internal/anchor", "internal/aws/awserr", "internal/aws/installation", "internal/retry"},
	"internal/aws/install/open":          {"internal/..."},
	"internal/aws/install/pack":          {},
	"internal/aws/installation":          {},
	"internal/aws/schedule":              {"internal/anchor", "internal/aws/awserr"},
	"internal/aws/role":                  {"internal/anchor", "internal/aws/awserr"},
	"internal/aws/lambda":                {"internal/anchor", "internal/api/...", "internal/artifact", "internal/aws/awserr", "internal/aws/schedule", "internal/core", "internal/crons", "internal/deploy", "internal/domains", "internal/project", "internal/release", "internal/retry"},
	"internal/aws/logtail":               {"internal/anchor", "internal/aws/awserr"},

	// The command line and the mains.
	"cmd/anchor":        {"internal/aws/companion", "internal/aws/installation", "internal/cli", "internal/local/server"},
	"cmd/anchor-aws":    {"internal/aws/install/open", "internal/cli", "internal/local/server"},
	"cmd/anchor-lambda": {"internal/anchor", "internal/aws/...", "internal/aws/awserr", "internal/aws/dynamo", "internal/aws/lambda", "internal/domains/dnscheck", "internal/project/secret"},
	"internal/cli":      {"internal/anchor", "internal/api/client", "internal/api/mcp", "internal/api/wire", "internal/artifact", "internal/artifact/build", "internal/artifact/opennext", "internal/aws/installation", "internal/domains", "internal/local/discovery", "internal/local/server", "internal/retry"},

	// Tests, benchmarks, documents.
	"bench":         {"e2e", "internal/..."},
	"docs/generate": {"internal/..."},
	"e2e":           {},
	"scripts":       {},
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

// TestServer_LinksNoAWS holds what docs/decisions/0011 says of the memory of a server.
func TestServer_LinksNoAWS(t *testing.T) {
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
