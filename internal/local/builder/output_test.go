package builder

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func TestPlain_DropsWhatATerminalObeys(t *testing.T) {
	for text, want := range map[string]string{
		"plain\tText\r\n":                    "plain\tText",
		"\x1b[32m✓\x1b[0m Compiled":          "✓ Compiled",
		"\x1b]0;title\aafter":                "after",
		"\x1b]8;;http://x\x1b\\link":         "link",
		"10%\r50%\r100%":                     "100%",
		"\x1b[2J\x1b[H\x07bell\x00\u009bnul": "bellnul",
		"not UTF-8 \xff.":                    "not UTF-8 �.",
	} {
		if got := plain(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// kept returns an output, and the lines that it stored.
func kept(limit int64) (*output, *[]anchor.LogLine) {
	var lines []anchor.LogLine
	return newOutput("d", limit, func(l anchor.LogLine) { lines = append(lines, l) }), &lines
}

func texts(lines []anchor.LogLine) string {
	var all []string
	for _, l := range lines {
		all = append(all, l.Level+" "+l.Text)
	}
	return strings.Join(all, "\n")
}

func TestOutput_Write_SplitsLines(t *testing.T) {
	o, lines := kept(1 << 20)
	for _, part := range []string{"on", "e\ntwo\n\nthr", "ee"} {
		if n, err := o.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("wrote %d, %v", n, err)
		}
	}
	o.sayf("note", "a\nb")
	if got := texts(*lines); got != "info one\ninfo two\ninfo three\nnote a\nnote b" {
		t.Errorf("the lines are\n%s", got)
	}
}

func TestOutput_IsCapped(t *testing.T) {
	o, lines := kept(10)
	for range 100 {
		_, _ = o.Write([]byte("12345\n"))
	}
	o.sayf("error", "the end")
	got := texts(*lines)
	if len(*lines) != 3+1 || !strings.Contains(got, "the rest is left out") || !strings.HasSuffix(got, "error the end") {
		t.Errorf("the lines are\n%s", got)
	}
	_, _ = o.Write([]byte(strings.Repeat("x", 10*maxLine)))
	if len(o.partial) > maxLine {
		t.Errorf("%d bytes of one line are in memory", len(o.partial))
	}
}

func TestOutput_Follow_EndsWithTheBuild(t *testing.T) {
	o, _ := kept(1 << 20)
	o.sayf("note", "before")
	var got []string
	for line, err := range o.follow(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, line.Text); line.Text == "before" {
			o.sayf("note", "after")
			o.end()
		}
	}
	if strings.Join(got, " ") != "before after" {
		t.Errorf("followed %q", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	endless, _ := kept(1)
	cancel()
	for _, err := range endless.follow(ctx) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the end of the reader is %v", err)
		}
	}
}
