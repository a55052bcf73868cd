package cache

import "testing"

func FuzzDecodeHead(f *testing.F) {
	e := ask(New(1).Namespace(), "/", "Accept", "b").entry(Response{Header: header("Vary", "Accept", "Cache-Tag", "x,y"), Body: []byte("body")})
	f.Add(appendHead(nil, "d1", NewKey("/"), e, [32]byte{}))
	f.Fuzz(func(t *testing.T, head []byte) {
		read, err := decodeHead(head)
		if err != nil {
			return
		}
		read.entry.Body = make([]byte, max(0, min(read.bodySize, 1<<20)))
		again, err := decodeHead(appendHead(nil, read.namespace, read.key, read.entry, read.bodySum))
		if err != nil || again.entry.variant() != read.entry.variant() || again.namespace != read.namespace {
			t.Errorf("read again: %v", err)
		}
	})
}
