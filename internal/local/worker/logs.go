package worker

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"time"
)

// maxLine is how many bytes of a line are kept. The bootstrap cuts console calls at 64 Ki
// characters, which JSON may write as six bytes each.
const maxLine = 512 << 10

// Line is one log entry of a process. Text holds line feeds only where one console call wrote
// several lines.
type Line struct {
	Time      time.Time
	Level     string // "debug", "info", "warn" or "error"
	RequestID string // the x-request-id of the request it was written for, when known
	Path      string // of that request, without its query
	Text      string
}

// record is one JSON line of the control pipe: a sign of life, the first of which reports that the
// process is ready; the announcement that it is about to end; or a console line.
type record struct {
	Alive   bool    `json:"alive"`
	Leaving string  `json:"leaving"` // why it is about to end: "process.exit(1)"
	Log     *string `json:"log"`
	Level   string  `json:"level"`
	ID      string  `json:"id"`
	Path    string  `json:"path"`
	Time    int64   `json:"time"` // Unix milliseconds
	Vitals  *vitals `json:"vitals"`
	Load    *struct {
		Used  float64 `json:"used"`  // share of the time in which the event loop ran code: 0 to 1
		Span  float64 `json:"span"`  // that time, in milliseconds since the last report
		Delay float64 `json:"delay"` // milliseconds by which its latest timer was late
	} `json:"load"`
}

// readLines calls line for each line of r until r ends. It drops what a line has beyond maxLine
// bytes.
func readLines(r io.Reader, line func(text []byte, cut bool)) {
	reader := bufio.NewReaderSize(r, 32<<10)
	var text []byte
	cut := false
	for {
		part, err := reader.ReadSlice('\n')
		if room := maxLine - len(text); len(part) > room {
			part, cut = part[:room], true
		}
		text = append(text, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if len(text) > 0 {
			if text[len(text)-1] == '\n' {
				text = text[:len(text)-1]
			}
			line(text, cut)
		}
		if err != nil {
			return
		}
		text, cut = text[:0], false
	}
}

// readRaw forwards what the process wrote past the console.
func readRaw(r io.Reader, level string, log func(Line)) {
	readLines(r, func(text []byte, cut bool) {
		out := string(text)
		if cut {
			out += " … [cut]"
		}
		log(Line{Time: time.Now(), Level: level, Text: out})
	})
}

// readControl forwards console lines, and calls beat at each sign of life, leave when the process
// announces its end, fares when it reports how it fares, and loaded when it reports the pace of its event loop.
func readControl(r io.Reader, beat func(), leave func(why string), fares func(vitals), loaded func(pace), log func(Line)) {
	readLines(r, func(text []byte, _ bool) {
		var rec record
		if json.Unmarshal(text, &rec) != nil {
			return // cut off by the end of the process
		}
		if rec.Alive {
			beat()
		}
		if rec.Leaving != "" {
			leave(rec.Leaving)
		}
		if rec.Vitals != nil {
			fares(*rec.Vitals)
		}
		if rec.Load != nil {
			loaded(paceOf(rec.Load.Used, rec.Load.Span, rec.Load.Delay))
		}
		if rec.Log != nil {
			log(Line{Time: time.UnixMilli(rec.Time), Level: rec.Level, RequestID: rec.ID, Path: rec.Path, Text: *rec.Log})
		}
	})
}

// tail keeps the last lines of a process, for the error that says why it did not start.
type tail struct {
	mu    sync.Mutex
	lines []string
}

const tailLines = 40

func (t *tail) add(text string) {
	if len(text) > 4096 {
		text = text[:4096] + " … [cut]"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == tailLines {
		t.lines = append(t.lines[:0], t.lines[1:]...)
	}
	t.lines = append(t.lines, text)
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n")
}
