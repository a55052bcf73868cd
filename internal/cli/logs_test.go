package cli

import (
	"bytes"
	"regexp"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func TestLogLine_ShowsWholeStackTrace(t *testing.T) {
	var out bytes.Buffer
	(&shell{}).logLine(&out, anchor.LogLine{
		DeploymentID: "01hzzzzzzzzzzzzzzzzzabcdef", Function: "default", Level: "error",
		Text: "Error: no stock\n    at order (page.js:3:9)\n\x1b[2Jend",
	})
	want := `^[0-9:.]{12} abcdef default Error: no stock
 {17}at order \(page\.js:3:9\)
 {13} \[2Jend
$`
	if !regexp.MustCompile(want).Match(out.Bytes()) {
		t.Errorf("got\n%s\nwant\n%s", out.Bytes(), want)
	}
}
