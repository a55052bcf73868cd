package accesslog

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

func opened(t *testing.T, c Config) *Log {
	t.Helper()
	c.Report = slog.New(slog.DiscardHandler)
	l, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestLog_OneLineEach(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	l := opened(t, Config{Path: path})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 500 {
				l.Append(&Entry{Time: time.Now(), Path: "/x", Status: 200})
			}
		})
	}
	all.Wait()
	l.Close()
	l.Append(&Entry{})
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	for _, line := range lines {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry["path"] != "/x" || entry["status"] != 200.0 {
			t.Fatalf("%s: %v", line, err)
		}
	}
	written, dropped := l.Counts()
	if len(lines) != 4000 || written != 4000 || dropped != 1 {
		t.Errorf("%d lines, %d counted, %d dropped", len(lines), written, dropped)
	}
}

// blocked is an output that waits.
type blocked chan struct{}

func (b blocked) Write(p []byte) (int, error) { <-b; return len(p), nil }

func TestLog_DropsRatherThanWaits(t *testing.T) {
	disk := make(blocked)
	l := opened(t, Config{Output: disk, Buffer: 4096})
	for range 1000 {
		l.Append(&Entry{Path: "/x"})
	}
	close(disk)
	l.Close()
	written, dropped := l.Counts()
	if written+dropped != 1000 || dropped < 900 || written == 0 {
		t.Errorf("%d written, %d dropped", written, dropped)
	}
}

func TestLog_Tee(t *testing.T) {
	l := opened(t, Config{})
	if l.Takes() {
		t.Error("lines are made although nobody wants them")
	}
	var got []byte
	l.Tee(func(lines []byte) { got = append(got, lines...) })
	if !l.Takes() {
		t.Error("no lines are made for what wants them")
	}
	l.Append(&Entry{Path: "/x"})
	l.Append(&Entry{Path: "/y"})
	l.Close()
	if text := string(got); strings.Count(text, "\n") != 2 || !strings.Contains(text, `"path":"/y"`) || !strings.HasSuffix(text, "}\n") {
		t.Errorf("%q", text)
	}
	if l.Tee(nil); l.Takes() {
		t.Error("lines are made after nobody wants them")
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestLog_CountsFailedWrites(t *testing.T) {
	l := opened(t, Config{Output: broken{}})
	l.Append(&Entry{})
	l.Close()
	if written, dropped := l.Counts(); written != 0 || dropped != 1 {
		t.Errorf("%d %d", written, dropped)
	}
}

func TestLog_Samples(t *testing.T) {
	l := opened(t, Config{Output: io.Discard, Sample: 0.25})
	n := 0
	for range 10000 {
		if l.Takes() {
			n++
		}
	}
	if n < 2000 || n > 3000 { // ten standard deviations
		t.Errorf("%d of 10000", n)
	}
	var none *Log
	if none.Takes() {
		t.Error("a nil log takes lines")
	}
}

func TestFile_RotatesAndSurvivesRenames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	f := &file{path: path, maxBytes: 100, keep: 2}
	line := []byte(strings.Repeat("x", 59) + "\n")
	for range 5 {
		if err := f.write(line); err != nil {
			t.Fatal(err)
		}
	}
	found, _ := filepath.Glob(path + "*")
	if len(found) != 3 {
		t.Errorf("%q", found)
	}
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	if err := f.write(line); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(path); err != nil || !bytes.Equal(data, line) {
		t.Errorf("after a rename: %q %v", data, err)
	}
	f.close()
	if err := os.WriteFile(path, []byte(`{"half`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.write([]byte("{}\n")); err != nil {
		t.Fatal(err)
	}
	f.close()
	if data, _ := os.ReadFile(path); string(data) != "{\"half\n{}\n" {
		t.Errorf("%q", data)
	}
	if _, err := Open(Config{Path: filepath.Join(path, "below a file")}); err == nil {
		t.Error("opened below a file")
	}
}

func TestEntry_KeepsNoSecrets(t *testing.T) {
	for in, want := range map[string]string{
		"https://a.test/b?token=1": "https://a.test/b", "https://u:p@a.test/b#c": "https://a.test/b", "/b@c?d": "/b@c", "": "",
	} {
		if got := withoutSecrets(in); got != want {
			t.Errorf("%q is logged as %q", in, got)
		}
	}
}

func TestEntry_Times(t *testing.T) {
	at := time.Date(2020, 11, 28, 13, 25, 8, 90807000, time.FixedZone("", 3600))
	for range 2 {
		line := string((&Entry{Time: at, Duration: 61*time.Second + 20304*time.Microsecond}).line(&Repeats{}))
		if !strings.Contains(line, `"time":"2020-11-28T12:25:08.090807Z"`) || !strings.Contains(line, `"seconds":61.020304`) {
			t.Error(line)
		}
	}
}

func (e *Entry) line(r *Repeats) []byte {
	r.update(e)
	return e.appendTo(nil, r)
}

// What a line has in common with the one before is encoded once, and never that of another request.
func TestRepeats_EqualSingleLines(t *testing.T) {
	texts := []string{"", "a", "b\"", "a"}
	var shared Repeats
	for n := range 5000 {
		text := func() string { return texts[rand.IntN(len(texts))] }
		e := Entry{
			Project: text(), Deployment: text(), Function: text(), Cache: text(), Method: text(), Host: text(), Path: text(), Query: n%2 == 0,
			Protocol: text(), Status: n / 3, Octets: int64(n / 5), Remote: text(), UserAgent: text(), Referer: text(), RequestID: text(), TraceID: text(),
		}
		if got, want := e.line(&shared), e.line(&Repeats{}); !bytes.Equal(got, want) {
			t.Fatalf("%s, alone %s", got, want)
		}
	}
}

// Each octet at each place of the eight that are looked at together, alone and behind another that needs an escape.
func TestPlainLength_EqualsTable(t *testing.T) {
	for at := range 19 {
		for c := range 256 {
			for _, last := range []byte{'z', 0, '"', 0x7f, 0xff} {
				text := []byte("0123456789 ~[]#!abcd")
				text[at], text[len(text)-1] = byte(c), last
				want := 0
				for want < len(text) && plain[text[want]] {
					want++
				}
				if got := plainLength(string(text)); got != want {
					t.Fatalf("%q: %d, want %d", text, got, want)
				}
			}
		}
	}
}

func FuzzEscaped(f *testing.F) {
	f.Add("a\x00\x1b[31m\"\\\u0085\u2028é\xff" + strings.Repeat("y", longest))
	f.Fuzz(func(t *testing.T, text string) {
		line := (&Entry{UserAgent: text}).line(&Repeats{})
		var entry struct{ UserAgent string }
		if err := json.Unmarshal(line, &entry); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		for _, r := range strings.TrimSuffix(string(line), "\n") {
			if r < 0x20 || r >= 0x7f && r < 0xa0 || r == '\u2028' {
				t.Fatalf("%q has a control character", line)
			}
		}
		if len(text) <= longest && utf8.ValidString(text) && entry.UserAgent != text {
			t.Errorf("%q became %q", text, entry.UserAgent)
		}
	})
}

// BenchmarkAppend reports the processor time of a line, that of the goroutine which writes it included.
func BenchmarkAppend(b *testing.B) {
	for name, config := range map[string]Config{"discarded": {Output: io.Discard}, "file": {Path: filepath.Join(b.TempDir(), "log")}} {
		b.Run(name, func(b *testing.B) {
			l, err := Open(config)
			if err != nil {
				b.Fatal(err)
			}
			var repeats Repeats
			entry := Entry{
				Project: "shop", Deployment: "01m8jc6481sk664t10n0m3yy03", Cache: "static", Method: "GET", Host: "shop.example.com",
				Path: "/_next/static/chunks/main-0123456789abcdef.js", Protocol: "HTTP/1.1", Status: 200, Octets: 6000, Duration: 20 * time.Microsecond,
				Remote: "203.0.113.7", UserAgent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36",
				Referer: "https://shop.example.com/products/1",
			}
			before, lines := processorTime(b), 0
			for b.Loop() {
				if lines++; lines%256 == 0 {
					l.awaitRoom()
				}
				entry.Time = entry.Time.Add(9 * time.Microsecond)
				l.AppendLike(&entry, &repeats)
			}
			if err := l.Close(); err != nil {
				b.Fatal(err)
			}
			if _, dropped := l.Counts(); dropped > 0 {
				b.Fatalf("%d lines were dropped", dropped)
			}
			b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// awaitRoom waits as long as more than a batch waits.
func (l *Log) awaitRoom() {
	for {
		l.mu.Lock()
		waiting := len(l.pending)
		l.mu.Unlock()
		if waiting <= largeBatch {
			return
		}
		runtime.Gosched()
	}
}

func processorTime(b *testing.B) time.Duration {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
