package cli

import (
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// What is pulled can be imported again.
func TestQuoteEnv_IsReadAsItWas(t *testing.T) {
	for _, value := range []string{
		"", "plain", "two words", "it's", `say "hi"`, "a `b`", "#hash", "$HOME and ${X}", "a\nb", `C:\dir\name`, " space ", `'"`, "ünï", "a=b",
		`{"json": [1, "two"]}`,
	} {
		quoted, ok := quoteEnv(value)
		_, values, err := anchor.ParseEnvFile("BEFORE=1\nA=" + quoted + "\nAFTER=2\n")
		if !ok || err != nil || values["A"] != value || len(values) != 3 {
			t.Errorf("%q is written as %s and read as %q, %v", value, quoted, values, err)
		}
	}
	for _, value := range []string{"'`\"", "a\r\nb"} {
		if quoted, ok := quoteEnv(value); ok {
			t.Errorf("%q is written as %s", value, quoted)
		}
	}
}
