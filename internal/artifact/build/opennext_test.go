package build

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestCITemplates_UseTheTestedOpenNext compares what the templates for a CI install with what Anchor was
// tested with.
func TestCITemplates_UseTheTestedOpenNext(t *testing.T) {
	for _, name := range []string{"gitlab-ci.yml", "github-action/action.yml", "github-action/deploy.sh"} {
		content, err := os.ReadFile(filepath.Join("../../../deploy", name))
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(openNextName + `@(\S+) build`).FindStringSubmatch(string(content))
		if found == nil || found[1] != "~"+openNextTested {
			t.Errorf("%s builds with %q, not with ~%s", name, found, openNextTested)
		}
	}
}
