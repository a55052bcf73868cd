package front_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/aws/front"
	"github.com/anchor-deploy/anchor/internal/aws/front/fronttest"
)

// TestScript runs the tests of viewer-request.js in Node.js.
func TestScript(t *testing.T) {
	dir := t.TempDir()
	suite, err := os.ReadFile(filepath.Join("testdata", "viewer-request.test.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	if err := fronttest.LayOut(dir, front.Source); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "viewer-request.test.mjs"), suite, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "--test", "viewer-request.test.mjs")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestScript_RunsOnItsRuntime: Node.js accepts more than CloudFront's runtime does, which reports a
// syntax error only when a request arrives (njs: "await in arguments not supported"; Developer
// Guide, "JavaScript runtime 2.0 features").
func TestScript_RunsOnItsRuntime(t *testing.T) {
	source := regexp.MustCompile(`(?m)//.*$`).ReplaceAllString(string(front.Source), "")
	if len(front.Source) > fronttest.MaxSource {
		t.Errorf("it has %d octets", len(front.Source))
	}
	if !strings.HasPrefix(string(front.Source), "import cf from 'cloudfront';\n") {
		t.Error("it does not begin with the import")
	}
	statement := regexp.MustCompile(`(?m)^ *(var )?\w+ = await \w+[.(].*;$`)
	for line := range strings.Lines(source) {
		if strings.Contains(line, "await") && !statement.MatchString(strings.TrimRight(line, "\n")) {
			t.Errorf("await stands inside an expression: %s", line)
		}
	}
	for _, word := range []string{`\bclass\b`, ` of `, `\.\.\.`, `\?\.`, `\?\?`, "`", `=>`, `\blet\b`, `\bconst\b`} {
		if found := regexp.MustCompile(word).FindString(source); found != "" {
			t.Errorf("it has %q, which the runtime may not know", found)
		}
	}
}
