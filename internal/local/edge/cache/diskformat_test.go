package cache

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A file that is not as it was written is never sent, wherever it was changed.
func TestDiskFile_DamageIsFound(t *testing.T) {
	answer := Response{Header: header("A", "b"), Body: []byte("body"), Lifetime: Lifetime{Fresh: time.Hour}, Received: time.Now()}
	entry := ask(New(1).Namespace(), "/").entry(answer)
	entry.Prepare("br", func() *Form { return &Form{Body: []byte("encoded")} })
	whole := bytes.Join(encodeFile("d1", NewKey("/"), entry), nil)
	for at := range whole {
		for _, change := range []string{"cut", "flip"} {
			damaged := append([]byte(nil), whole...)
			if damaged[at] ^= 0x10; change == "cut" {
				damaged = damaged[:at]
			}
			path := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			if f, err := readWhole(path); err == nil {
				t.Fatalf("%s at %d: got %+v", change, at, f.entry)
			}
		}
	}
}

func FuzzDecodeHead(f *testing.F) {
	e := ask(New(1).Namespace(), "/", "Accept", "b").entry(Response{Header: header("Vary", "Accept", "Cache-Tag", "x,y"), Body: []byte("body")})
	written := fileHead{namespace: "d1", key: NewKey("/"), entry: e, body: describe("", e.Body), encoded: []storedBody{describe("br", nil)}}
	f.Add(written.appendTo(nil))
	f.Fuzz(func(t *testing.T, head []byte) {
		read, err := decodeHead(head)
		if err != nil {
			return
		}
		again, err := decodeHead(read.appendTo(nil))
		if err != nil || again.entry.variant() != read.entry.variant() || again.namespace != read.namespace {
			t.Errorf("read again: %v", err)
		}
	})
}
