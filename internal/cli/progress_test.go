package cli

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// screen is a terminal that records what was written and what it shows.
type screen struct {
	mu  sync.Mutex
	raw bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.raw.Write(p)
}

// lines are those a person sees: a carriage return with the erase code (ECMA-48 EL)
// takes a line back.
func (s *screen) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for line := range strings.Lines(s.raw.String()) {
		if i := strings.LastIndex(line, "\r\x1b[K"); i >= 0 {
			line = line[i+len("\r\x1b[K"):]
		}
		out = append(out, strings.TrimSuffix(line, "\n"))
	}
	return out
}

func TestProgress_OneLinePerStep(t *testing.T) {
	term := &screen{}
	p := newProgress(&shell{IOStreams: IOStreams{Err: term, IsTerminal: true, Width: 40}})
	p.beginStep("Upload")
	p.showBar(5, 10, strings.Repeat("wide ", 20))
	p.mu.Lock()
	p.drawLine()
	p.mu.Unlock()
	drawn := term.lines()
	if n := utf8.RuneCountInString(drawn[len(drawn)-1]); n > 40 {
		t.Errorf("the running step takes %d columns of 40: %q", n, drawn)
	}
	if !strings.Contains(drawn[len(drawn)-1], "█") {
		t.Errorf("there is no bar: %q", drawn)
	}
	p.doneIn("upload", 1500*time.Millisecond, "an app\x1b[31m wrote\nthis, and much more than fits in one line")
	p.beginStep("Probe")
	p.failedIn(20 * time.Millisecond)
	got := term.lines()
	if len(got) != 2 || !strings.HasPrefix(got[0], "✓ Upload           1.5 s  an app") || got[1] != "✗ Probe            20 ms" {
		t.Errorf("the terminal shows %q", got)
	}
	if strings.ContainsRune(got[0], '\x1b') || utf8.RuneCountInString(got[0]) > 40 {
		t.Errorf("what an app wrote got through: %q", got[0])
	}
	if p.timings["upload"] != 1500 {
		t.Errorf("timings are %v", p.timings)
	}
}

func TestProgress_SilentWithJSON(t *testing.T) {
	term := &screen{}
	p := newProgress(&shell{IOStreams: IOStreams{Err: term, IsTerminal: true, Width: 80}, json: true})
	p.beginStep("Build")
	p.sayNote("busy")
	p.endStep("build", "")
	p.beginStep("Scan")
	p.failStep()
	if got := term.lines(); len(got) != 0 {
		t.Errorf("progress told %q", got)
	}
	if _, ok := p.timings["build"]; !ok {
		t.Error("the step's time is lost")
	}
}

func TestConfirm_RequiresSlug(t *testing.T) {
	for typed, ok := range map[string]bool{"shop\n": true, "shop": true, "yes\n": false, "": false} {
		s := &shell{IOStreams: IOStreams{In: strings.NewReader(typed), Err: &screen{}, IsTerminal: true}}
		if err := s.confirmRemoval(anchor.Project{Slug: "shop"}); (err == nil) != ok {
			t.Errorf("typing %q gave %v", typed, err)
		}
	}
}

func TestFormatUnits(t *testing.T) {
	cases := map[string]string{
		formatDuration(12 * time.Millisecond): "12 ms", formatDuration(3200 * time.Millisecond): "3.2 s", formatDuration(65 * time.Second): "1 min 05 s",
		formatSize(999): "999 B", formatSize(1500): "2 kB", formatSize(43_800_000): "43.8 MB", formatSize(2_500_000_000): "2.50 GB",
		diskLine(wire.Disk{Shelved: 1, Trashed: 1}): "0 B free, 0 B in the data folder, 0 B of it artifacts" +
			"; hashed files of 1 pruned deployment are still kept; 1 removed deployment in the trash",
		pluralize(1, "file"): "1 file", pluralize(2, "file"): "2 files", cutText("abcdef", 4): "abc…", shortSHA("c0ffee"): "c0ffee",
	}
	for got, want := range cases {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestProgress_WarningStays(t *testing.T) {
	for _, terminal := range []bool{true, false} {
		term := &screen{}
		p := newProgress(&shell{IOStreams: IOStreams{Err: term, IsTerminal: terminal, Width: 40}})
		d := deploying{progress: p}
		d.showEvent(anchor.Event{Phase: anchor.StepStart, Step: "assets"})
		d.showEvent(anchor.Event{Phase: anchor.StepNote, Step: "assets", Message: "3 static files"})
		d.showEvent(anchor.Event{Phase: anchor.StepNote, Step: "assets", Message: "warning: files are served past the middleware"})
		d.showEvent(anchor.Event{Phase: anchor.StepEnd, Step: "assets"})
		shown := strings.Join(term.lines(), "\n")
		if !strings.Contains(shown, "Warning: files are served past the middleware") || strings.Contains(shown, "3 static files") {
			t.Errorf("terminal %t shows %q", terminal, shown)
		}
	}
}
