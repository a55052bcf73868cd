package certificate_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/aws/certificate"
	"github.com/anchor-deploy/anchor/internal/aws/front/fronttest"
)

// module is 'cloudfront' as functions of multi-tenant distributions import it (Developer Guide,
// "Helper methods for CloudFront SaaS Manager properties").
const module = `export default { get distributionTenant() {
  if (!globalThis.parameters) {
    throw new TypeError('distributionTenant module is not available');
  }
  return { parameters: { get: (key) => {
    if (!(key in globalThis.parameters)) {
      throw new Error('no such parameter');
    }
    return globalThis.parameters[key];
  } } };
} };
`

// TestScript runs the tests of domains.js in Node.js.
func TestScript(t *testing.T) {
	dir := t.TempDir()
	suite, err := os.ReadFile(filepath.Join("testdata", "domains.test.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	source := strings.Replace(string(certificate.Source), "'cloudfront'", "'./cloudfront.mjs'", 1) + "\nexport { handler };\n"
	for name, text := range map[string]string{"domains.test.mjs": string(suite), "domains.mjs": source, "cloudfront.mjs": module} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "node", "--test", "domains.test.mjs")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestScript_RunsOnItsRuntime checks the syntax, because Node.js accepts more than CloudFront's
// runtime does.
func TestScript_RunsOnItsRuntime(t *testing.T) {
	source := regexp.MustCompile(`(?m)//.*$`).ReplaceAllString(string(certificate.Source), "")
	if len(certificate.Source) > fronttest.MaxSource {
		t.Errorf("it has %d octets", len(certificate.Source))
	}
	if !strings.HasPrefix(string(certificate.Source), "import cf from 'cloudfront';\n") {
		t.Error("it does not begin with the import")
	}
	for _, word := range []string{`\bclass\b`, ` of `, `\.\.\.`, `\?\.`, `\?\?`, "`", `=>`, `\blet\b`, `\bconst\b`} {
		if found := regexp.MustCompile(word).FindString(source); found != "" {
			t.Errorf("it has %q, which the runtime may not know", found)
		}
	}
}
