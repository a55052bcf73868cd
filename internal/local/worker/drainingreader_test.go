package worker

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// A process has ended, another one holds its pipe, and the time for reading was over before the
// reader got to it.
func TestDrainingReader_ReadsLateOutput(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	words := strings.Repeat("it ended because…\n", 2000) // more than one read, less than a pipe holds
	if _, err := io.WriteString(w, words); err != nil {
		t.Fatal(err)
	}
	if err := r.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(&drainingReader{file: r}); err != nil || string(got) != words {
		t.Errorf("of %d octets %d were read: %v", len(words), len(got), err)
	}
}

// A stray process that continues to write does not keep the reader for ever.
func TestDrainingReader_LeavesStrayWriter(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	writing := make(chan struct{})
	go func() {
		defer close(writing)
		for { // until the pipe is closed
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	}()
	if _, err := io.Copy(io.Discard, &drainingReader{file: r}); err != nil {
		t.Error(err)
	}
	w.Close()
	<-writing
}
