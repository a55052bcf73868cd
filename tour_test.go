package anchor_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strings"
	"testing"
)

var (
	// tourStep matches a step of docs/tour.md: its number, the file and the function.
	tourStep = regexp.MustCompile("(?m)^(\\d+)\\. `([^`]+\\.go)` `(\\w+)`: ")
	// namedPath matches a path of the repository in the text of a document.
	namedPath = regexp.MustCompile("`((?:internal|cmd|docs|scripts|e2e)/[\\w./-]*\\w)`")
)

func readDoc(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestTour checks that every step of docs/tour.md names a function that its file declares.
func TestTour(t *testing.T) {
	page := readDoc(t, "docs/tour.md")
	steps := tourStep.FindAllSubmatch(page, -1)
	if walks := bytes.Count(page, []byte("\n## ")); walks != 3 || len(steps) != 30 {
		t.Errorf("the tour has %d walks and %d steps, want 3 and 30", walks, len(steps))
	}
	for _, step := range steps {
		file, err := parser.ParseFile(token.NewFileSet(), string(step[2]), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Error(err)
			continue
		}
		if !declares(file, string(step[3])) {
			t.Errorf("%s does not declare %s", step[2], step[3])
		}
	}
}

func declares(file *ast.File, name string) bool {
	for _, declared := range file.Decls {
		if f, ok := declared.(*ast.FuncDecl); ok && f.Name.Name == name {
			return true
		}
	}
	return false
}

// TestGuides_PathsExist checks the paths in the guides for contributors.
func TestGuides_PathsExist(t *testing.T) {
	for _, name := range []string{"CONTRIBUTING.md", "docs/architecture.md", "docs/tour.md"} {
		for _, match := range namedPath.FindAllSubmatch(readDoc(t, name), -1) {
			if path := string(match[1]); !strings.Contains(path, "...") {
				if _, err := os.Stat(path); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
}
