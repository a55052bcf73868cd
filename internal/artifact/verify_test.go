package artifact_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

func TestVerify_WithholdsEndOfWrongContent(t *testing.T) {
	hello := artifact.DigestOf([]byte("hello"))
	for name, test := range map[string]struct {
		content string
		digest  artifact.Digest
		size    int64
		code    string
	}{
		"right":         {"hello", hello, 5, ""},
		"empty":         {"", artifact.DigestOf(nil), 0, ""},
		"another":       {"jello", hello, 5, "wrong_digest"},
		"short":         {"hell", hello, 5, "wrong_size"},
		"long":          {"hello!", hello, 5, "wrong_size"},
		"long for none": {"!", artifact.DigestOf(nil), 0, "wrong_size"},
		"wrong none":    {"", hello, 0, "wrong_digest"},
	} {
		for way, from := range map[string]io.Reader{
			"at once":  strings.NewReader(test.content),
			"by bytes": iotest.OneByteReader(strings.NewReader(test.content)),
			"with EOF": iotest.DataErrReader(strings.NewReader(test.content)),
		} {
			got, err := io.ReadAll(artifact.Verify(from, test.digest, test.size))
			if anchor.CodeOf(err) != test.code || (err == nil) != (test.code == "") {
				t.Errorf("%s, %s: got %v, want the code %q", name, way, err, test.code)
			}
			if err == nil && string(got) != test.content {
				t.Errorf("%s, %s: got %q", name, way, got)
			}
			if err != nil && int64(len(got)) >= test.size && test.size > 0 {
				t.Errorf("%s, %s: got %d bytes before it fails", name, way, len(got))
			}
		}
	}
}

func TestVerify_KeepsSourceError(t *testing.T) {
	if _, err := io.ReadAll(artifact.Verify(failing{}, artifact.DigestOf([]byte("x")), 1)); err == nil || anchor.CodeOf(err) != "" {
		t.Errorf("got %v, want the connection's own error", err)
	}
}

func TestAdd_StoresUnannouncedContent(t *testing.T) {
	store := openStore(t)
	for range 2 {
		digest, size, err := store.Add(t.Context(), "the entry x", strings.NewReader("hello"), 5)
		must(t, err)
		if size != 5 || digest != artifact.DigestOf([]byte("hello")) {
			t.Errorf("it is %s of %d bytes", digest, size)
		}
	}
	_, _, err := store.Add(t.Context(), "the entry x", strings.NewReader("hello!"), 5)
	wantCode(t, err, "file_too_large")
	_, _, err = store.Add(t.Context(), "the entry x", failing{}, 5)
	wantCode(t, err, "upload_broken")
	wantNoLeftovers(t, store)

	file, err := store.Content(artifact.DigestOf([]byte("hello")), 5)
	must(t, err)
	var got bytes.Buffer
	_, err = got.ReadFrom(file)
	must(t, err)
	must(t, file.Close())
	if got.String() != "hello" {
		t.Errorf("the content is %q", got.String())
	}
	_, err = store.Content(artifact.DigestOf([]byte("jello")), 5)
	wantCode(t, err, "content_missing")
}
