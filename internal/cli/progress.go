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

// beginStep starts a step; one that runs still is dropped without a line.
func (p *progress) beginStep(label string) {
	p.haltTicker()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.label, p.note, p.started = label, "", time.Now()
	if !p.streams.IsTerminal || p.quiet {
		return
	}
	p.stop, p.stopped = make(chan struct{}), make(chan struct{})
	go p.tickUntil(p.stop, p.stopped)
}

func (p *progress) tickUntil(stop, stopped chan struct{}) {
	defer close(stopped)
	ticker := time.NewTicker(frameTime)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.mu.Lock()
			p.drawLine()
			p.mu.Unlock()
		case <-stop:
			return
		}
	}
}

// drawLine needs mu.
func (p *progress) drawLine() {
	p.frame++
	spin := string(frames[p.frame%len(frames)])
	head := fmt.Sprintf("%s %s %s", spin, padText(p.label, labelWidth), padLeft(formatDuration(time.Since(p.started)), timeWidth))
	room := p.streams.Width - utf8.RuneCountInString(head) - 3
	fmt.Fprintf(p.streams.Err, "\r\x1b[K%s  %s", p.streams.paintText(cyan, head), p.streams.paintText(dim, cutText(p.note, room)))
}

// sayNote sets what the running step is doing.
func (p *progress) sayNote(note string) {
	p.mu.Lock()
	p.note = cleanText(note)
	p.mu.Unlock()
}

// printWarning prints a line above the running step's.
func (p *progress) printWarning(text string) {
	if p.quiet {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop != nil {
		io.WriteString(p.streams.Err, "\r\x1b[K")
	}
	printWrapped(p.streams.Err, "  ", p.streams.paintText(bold, "Warning:")+" "+cleanText(text))
}

// showBar shows how much of something is done.
func (p *progress) showBar(done, total int64, text string) {
	const cells = 20
	filled := cells
	if total > 0 {
		filled = int(done * cells / total)
	}
	p.sayNote(strings.Repeat("█", filled) + strings.Repeat("░", cells-filled) + " " + text)
}

// endStep ends the running step well; its time is measured here.
func (p *progress) endStep(step, detail string) {
	p.doneIn(step, time.Since(p.started), detail)
}

// doneIn ends the running step well; its time was measured by the server.
func (p *progress) doneIn(step string, d time.Duration, detail string) {
	p.timings[step] = d.Milliseconds()
	p.printLine(p.streams.paintText(green, "✓"), formatDuration(d), detail)
}

// failStep ends the running step as failed; the error has the details.
func (p *progress) failStep() { p.failedIn(time.Since(p.started)) }

// failedIn is failed with a time that was measured by the server.
func (p *progress) failedIn(d time.Duration) {
	p.printLine(p.streams.paintText(red, "✗"), formatDuration(d), "")
}

func (p *progress) printLine(mark, time, detail string) {
	p.haltTicker()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.quiet || p.label == "" {
		return
	}
	head := padText(p.label, labelWidth) + " " + padLeft(time, timeWidth)
	detail = cutText(cleanText(detail), max(10, p.streams.Width-labelWidth-timeWidth-6))
	text := fmt.Sprintf("%s %s  %s", mark, head, p.streams.paintText(dim, detail))
	fmt.Fprintln(p.streams.Err, strings.TrimRight(text, " "))
	p.label = ""
}

// haltTicker ends the ticker and clears its line.
func (p *progress) haltTicker() {
	if p.stop == nil {
		return
	}
	close(p.stop)
	<-p.stopped
	p.stop = nil
	io.WriteString(p.streams.Err, "\r\x1b[K")
}

func padText(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

func padLeft(text string, width int) string {
	return strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text))) + text
}
