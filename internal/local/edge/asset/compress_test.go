package asset

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

// The variants of a digest have the same bytes each time, whatever an encoder wrote before and
// however that ended.
func TestEncoder_UsedAgainWritesWhatANewOneWrites(t *testing.T) {
	source, err := os.ReadFile("compress.go")
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{string(source), strings.Repeat("anchor ", 100_000), string(source[len(source)/2:]) + string(source), "short"}
	for _, enc := range []encoder{brotliEncoder, zstdEncoder, gzipEncoder} {
		for range 3 {
			for i, text := range texts {
				var again, once bytes.Buffer
				broken := io.MultiReader(strings.NewReader(text), iotest.ErrReader(io.ErrUnexpectedEOF))
				if err := enc.encode(io.Discard, broken); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("%s: a file that cannot be read returned %v", enc.suffix, err)
				}
				if err := enc.encode(&again, strings.NewReader(text)); err != nil {
					t.Fatal(err)
				}
				w, err := enc.open(&once)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(w, strings.NewReader(text)); err != nil {
					t.Fatal(err)
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(again.Bytes(), once.Bytes()) {
					t.Errorf("%s of text %d: %d octets, a new encoder writes %d", enc.suffix, i, again.Len(), once.Len())
				}
			}
		}
	}
}
