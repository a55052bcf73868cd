package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// progress reports steps. A finished one is a line, the running one moves at the bottom of a
// terminal. Without a terminal only the lines are printed; with --json nothing.
type progress struct {
	streams IOStreams
	quiet   bool

	mu      sync.Mutex // guards what follows, against the ticker
	label   string
	note    string
	started time.Time
	frame   int
	stop    chan struct{} // ends the ticker; nil between steps
	stopped chan struct{}

	timings map[string]int64 // milliseconds, by step
}

func newProgress(s *shell) *progress {
	return &progress{streams: s.IOStreams, quiet: s.json, timings: map[string]int64{}}
}

const (
	labelWidth = 10
	timeWidth  = 11
	frameTime  = 100 * time.Millisecond
)

var frames = []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

// begin starts a step; one that runs still is dropped without a line.
func (p *progress) begin(label string) {
	p.halt()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.label, p.note, p.started = label, "", time.Now()
	if !p.streams.IsTerminal || p.quiet {
		return
	}
	p.stop, p.stopped = make(chan struct{}), make(chan struct{})
	go p.tick(p.stop, p.stopped)
}

func (p *progress) tick(stop, stopped chan struct{}) {
	defer close(stopped)
	ticker := time.NewTicker(frameTime)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.mu.Lock()
			p.draw()
			p.mu.Unlock()
		case <-stop:
			return
		}
	}
}

// draw needs mu.
func (p *progress) draw() {
	p.frame++
	spin := string(frames[p.frame%len(frames)])
	head := fmt.Sprintf("%s %s %s", spin, pad(p.label, labelWidth), padLeft(took(time.Since(p.started)), timeWidth))
	room := p.streams.Width - utf8.RuneCountInString(head) - 3
	fmt.Fprintf(p.streams.Err, "\r\x1b[K%s  %s", p.streams.paint(cyan, head), p.streams.paint(dim, cut(p.note, room)))
}

// say sets what the running step is doing.
func (p *progress) say(note string) {
	p.mu.Lock()
	p.note = clean(note)
	p.mu.Unlock()
}

// warn prints a line above the running step's.
func (p *progress) warn(text string) {
	if p.quiet {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop != nil {
		io.WriteString(p.streams.Err, "\r\x1b[K")
	}
	wrapped(p.streams.Err, "  ", p.streams.paint(bold, "Warning:")+" "+clean(text))
}

// bar shows how much of something is done.
func (p *progress) bar(done, total int64, text string) {
	const cells = 20
	filled := cells
	if total > 0 {
		filled = int(done * cells / total)
	}
	p.say(strings.Repeat("█", filled) + strings.Repeat("░", cells-filled) + " " + text)
}

// done ends the running step well; its time is measured here.
func (p *progress) done(step, detail string) {
	p.doneIn(step, time.Since(p.started), detail)
}

// doneIn ends the running step well; its time was measured by the server.
func (p *progress) doneIn(step string, d time.Duration, detail string) {
	p.timings[step] = d.Milliseconds()
	p.line(p.streams.paint(green, "✓"), took(d), detail)
}

// failed ends the running step as failed; the error has the details.
func (p *progress) failed() { p.failedIn(time.Since(p.started)) }

// failedIn is failed with a time that was measured by the server.
func (p *progress) failedIn(d time.Duration) {
	p.line(p.streams.paint(red, "✗"), took(d), "")
}

func (p *progress) line(mark, time, detail string) {
	p.halt()
	if p.quiet || p.label == "" {
		return
	}
	head := pad(p.label, labelWidth) + " " + padLeft(time, timeWidth)
	detail = cut(clean(detail), max(10, p.streams.Width-labelWidth-timeWidth-6))
	text := fmt.Sprintf("%s %s  %s", mark, head, p.streams.paint(dim, detail))
	fmt.Fprintln(p.streams.Err, strings.TrimRight(text, " "))
	p.label = ""
}

// halt ends the ticker and clears its line.
func (p *progress) halt() {
	if p.stop == nil {
		return
	}
	close(p.stop)
	<-p.stopped
	p.stop = nil
	io.WriteString(p.streams.Err, "\r\x1b[K")
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

func padLeft(text string, width int) string {
	return strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text))) + text
}
