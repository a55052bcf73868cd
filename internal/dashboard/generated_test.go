package dashboard_test

import (
	"bytes"
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"github.com/a-h/templ/generator"
	parser "github.com/a-h/templ/parser/v2"
)

// TestTemplates_AreGenerated compares the committed Go code with the templates that it is made of.
func TestTemplates_AreGenerated(t *testing.T) {
	files, err := filepath.Glob("*.templ")
	if err != nil || len(files) == 0 {
		t.Fatalf("the templates are %v, %v", files, err)
	}
	for _, name := range files {
		parsed, err := parser.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		var code bytes.Buffer
		if _, err := generator.Generate(parsed, &code, generator.WithVersion(templ.Version()), generator.WithFileName(name)); err != nil {
			t.Fatal(err)
		}
		want, err := format.Source(code.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(strings.TrimSuffix(name, ".templ") + "_templ.go")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("the Go code of %s is of another version of it; run make templ", name)
		}
	}
}
