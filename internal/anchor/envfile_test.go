package anchor_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func TestParseEnvFile_ReadsWhatDotenvReads(t *testing.T) {
	text := "\ufeff"[:0] + strings.Join([]string{
		"A=1", " B = two words  # a comment", "export C='single # quoted'", `D="line\nline"`, "E=`a 'b' \"c\"`", "F=", "G=a=b", "# H=1",
		"I=\"first", "second\"", "J='a\\nb'\r", "", "A=again", `K=\$HOME`, "my.name-x=1",
	}, "\n")
	names, values, err := anchor.ParseEnvFile(text)
	want := map[string]string{
		"A": "again", "B": "two words", "C": "single # quoted", "D": "line\nline", "E": `a 'b' "c"`, "F": "", "G": "a=b",
		"I": "first\nsecond", "J": `a\nb`, "K": "$HOME", "my.name-x": "1",
	}
	if diff := cmp.Diff(want, values); err != nil || diff != "" || len(names) != len(want) || names[0] != "A" {
		t.Errorf("%q, %v\n%s", names, err, diff)
	}
}

func TestParseEnvFile_NamesTheLineThatIsNoAssignment(t *testing.T) {
	for text, line := range map[string]string{
		"A=1\nwhat\nB=2": "line 2", "A=1\nB=2\n\n???": "line 4", "{": "line 1", "A='open\nB=2": "",
	} {
		_, _, err := anchor.ParseEnvFile(text)
		if line == "" && err == nil {
			continue // dotenv takes the quote as a part of the value
		}
		if anchor.CodeOf(err) != "bad_env_file" || !strings.Contains(err.Error(), line) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
