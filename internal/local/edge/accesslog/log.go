// Package accesslog writes a JSON line for each request. Requests never wait for the disk: lines go
// through a bounded buffer, and what does not fit is dropped and counted.
package accesslog

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Config says where lines go. Zero fields take the defaults named here.
type Config struct {
	Path   string    // of the file; Output is not used then
	Output io.Writer // os.Stdout, for example; without Path and Output, lines go to Tee only

	Sample   float64 // share of the requests that is written, 1; negative: none
	MaxBytes int64   // size at which the file is renamed, and another is begun, 64 MiB
	Keep     int     // renamed files that are kept, 5
	Buffer   int     // octets of lines that may wait, 1 MiB

	Report *slog.Logger // what the operator should know, slog.Default()
}

const (
	// pause is how long lines are gathered for one write.
	pause = 100 * time.Millisecond
	// largeBatch is the size at which a write does not wait for more: what is written soon after it was made
	// is still in the processor's cache.
	largeBatch = 128 << 10
)

// Log is an access log. Close ends it. A nil *Log takes no lines.
type Log struct {
	cfg  Config
	file *file // nil for Config.Output

	mu      sync.Mutex
	pending []byte
	lines   int // in pending
	closed  bool

	wake chan struct{} // holds a value when there are lines
	full chan struct{} // holds a value when the batch is large
	end  chan struct{}
	done chan struct{}

	tee atomic.Pointer[func(lines []byte)]

	written, dropped atomic.Int64
	complained       time.Time // when a failed write was reported last
}

// Open starts a log. It returns an error if the file cannot be opened.
func Open(c Config) (*Log, error) {
	if c.Sample == 0 {
		c.Sample = 1
	}
	if c.MaxBytes <= 0 {
		c.MaxBytes = 64 << 20
	}
	if c.Keep <= 0 {
		c.Keep = 5
	}
	if c.Buffer <= 0 {
		c.Buffer = 1 << 20
	}
	if c.Report == nil {
		c.Report = slog.Default()
	}
	l := &Log{
		cfg: c, wake: make(chan struct{}, 1), full: make(chan struct{}, 1),
		end: make(chan struct{}), done: make(chan struct{}),
	}
	if c.Path != "" {
		l.file = &file{path: c.Path, maxBytes: c.MaxBytes, keep: c.Keep}
		if err := l.file.open(); err != nil {
			return nil, fmt.Errorf("open the access log: %w", err)
		}
	}
	go l.run()
	return l, nil
}

// Tee sets what is called with each batch of whole lines, which it must copy; nil for nothing. It must not wait.
func (l *Log) Tee(take func(lines []byte)) {
	if take == nil {
		l.tee.Store(nil)
		return
	}
	l.tee.Store(&take)
}

// writes reports whether lines go to a file or an output.
func (l *Log) writes() bool { return l.file != nil || l.cfg.Output != nil }

// Takes decides whether the next request is written.
func (l *Log) Takes() bool {
	return l != nil && (l.writes() || l.tee.Load() != nil) && (l.cfg.Sample >= 1 || rand.Float64() < l.cfg.Sample)
}

var repeats = sync.Pool{New: func() any { return new(Repeats) }}

// Append adds the line of a request.
func (l *Log) Append(e *Entry) {
	r := repeats.Get().(*Repeats)
	l.AppendLike(e, r)
	repeats.Put(r)
}

// AppendLike adds the line of a request that has much in common with the one before, for which r was used.
// The line is made where it waits, because copying it would cost as much as making it.
func (l *Log) AppendLike(e *Entry, r *Repeats) {
	r.update(e)
	l.mu.Lock()
	before := len(l.pending)
	fits := !l.closed && before < l.cfg.Buffer
	if fits {
		l.pending = e.appendTo(l.pending, r)
		l.lines++
	}
	after := len(l.pending)
	l.mu.Unlock()
	switch large := min(largeBatch, l.cfg.Buffer/2); {
	case !fits:
		l.dropped.Add(1)
	case before == 0:
		notify(l.wake)
	case before <= large && after > large:
		notify(l.full)
	}
}

func notify(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Counts returns how many lines were written, and how many were lost because the buffer was full or
// a write failed.
func (l *Log) Counts() (written, dropped int64) {
	if l == nil {
		return 0, 0
	}
	return l.written.Load(), l.dropped.Load()
}

// Close writes what waits and ends the log. Lines of later requests are dropped.
func (l *Log) Close() error {
	l.mu.Lock()
	again := l.closed
	l.closed = true
	l.mu.Unlock()
	if !again {
		close(l.end)
	}
	<-l.done
	if l.file != nil && !again {
		return l.file.close()
	}
	return nil
}

func (l *Log) run() {
	defer close(l.done)
	var batch []byte
	gather := time.NewTimer(pause)
	defer gather.Stop()
	for {
		select {
		case <-l.wake:
		case <-l.end:
			l.writeBatch(batch)
			return
		}
		for written := true; written; { // without another wake-up for each batch
			gather.Reset(pause)
			select {
			case <-gather.C:
			case <-l.full:
			case <-l.end:
			}
			batch, written = l.writeBatch(batch)
		}
	}
}

// writeBatch writes the lines that wait, and reports whether there were any. It exchanges the buffer for another, which it
// returns for the next time.
func (l *Log) writeBatch(empty []byte) ([]byte, bool) {
	l.mu.Lock()
	batch, lines := l.pending, l.lines
	l.pending, l.lines = empty[:0], 0
	l.mu.Unlock()
	if lines == 0 {
		return batch, false
	}
	if take := l.tee.Load(); take != nil {
		(*take)(batch)
	}
	if !l.writes() {
		return batch, true
	}
	if err := l.write(batch); err != nil {
		l.dropped.Add(int64(lines))
		if time.Since(l.complained) > time.Minute {
			l.complained = time.Now()
			l.cfg.Report.Warn("lines of the access log were lost; check the disk and the folder of --access-log", "error", err)
		}
		return batch, true
	}
	l.written.Add(int64(lines))
	return batch, true
}

func (l *Log) write(batch []byte) error {
	if l.file != nil {
		return l.file.write(batch)
	}
	_, err := l.cfg.Output.Write(batch)
	return err
}
