package awswire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// A body framed in any way is decoded unchanged, however the network splits it.
func TestChunkedReader_RoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOfN(rapid.Byte(), 0, 40_000).Draw(t, "body")
		signed := rapid.Bool().Draw(t, "signed")
		var framed bytes.Buffer
		for rest := body; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "chunk")
			fmt.Fprintf(&framed, "%x%s\r\n%s\r\n", n, signature(signed), rest[:n])
			rest = rest[n:]
		}
		fmt.Fprintf(&framed, "0%s\r\nX-Amz-Checksum-Crc32: c\r\n\r\n", signature(signed))
		var src io.Reader = &framed
		if rapid.Bool().Draw(t, "slow") {
			src = iotest.HalfReader(src)
		}
		c := newChunkedReader(src)
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, body) || c.trailer["x-amz-checksum-crc32"] != "c" {
			t.Fatalf("%d bytes of %d, trailer %v, %v", len(got), len(body), c.trailer, err)
		}
	})
}

func signature(signed bool) string {
	if signed {
		return ";chunk-signature=" + strings.Repeat("a", 64)
	}
	return ""
}

func FuzzChunkedReader(f *testing.F) {
	for _, seed := range []string{"0\r\n\r\n", "3\r\nabc\r\n0\r\nx:y\r\n\r\n", "3;chunk-signature=0\r\nabc\r\n0\r\n\r\n", "ffffffffff\r\nx", "3\r\nabcd\r\n",
		"-1\r\n", "0\r\n" + strings.Repeat("a:b\r\n", 20), strings.Repeat("0", 5000), "0\r\n\r\nmore"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, framed []byte) {
		c := newChunkedReader(bytes.NewReader(framed))
		body, err := io.ReadAll(c)
		if len(body) > len(framed) {
			t.Fatalf("%d bytes out of %d", len(body), len(framed))
		}
		var refused *s3Error
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.As(err, &refused) {
			t.Fatalf("%v", err)
		}
		if n, again := c.Read(make([]byte, 1)); err == nil && (n != 0 || !errors.Is(again, io.EOF)) {
			t.Fatalf("after the end: %d, %v", n, again)
		}
	})
}

func FuzzParseCondition(f *testing.F) {
	for _, seed := range []string{"#key = :key", "#key = :key AND #revalidatedAt > :lastModified", "#tag=:tag", "path = :key and revalidatedAt > :lastModified",
		"begins_with(#key, :key)", "#key = :key OR #key = :key", "", "#key = :key AND", "# = :"} {
		f.Add(seed)
	}
	names := map[string]string{"#key": "path", "#tag": "tag", "#revalidatedAt": "revalidatedAt"}
	s, n := "v", "1"
	values := map[string]value{":key": {S: &s}, ":tag": {S: &s}, ":lastModified": {N: &n}}
	f.Fuzz(func(t *testing.T, expression string) {
		c, err := parseCondition(expression, names, values)
		var refused *apiError
		switch {
		case err != nil && !errors.As(err, &refused):
			t.Fatalf("%v", err)
		case err == nil && (c.hash == "" || strings.HasPrefix(c.hash, "#") || (c.sort == "") != (c.op == "")):
			t.Fatalf("%q became %+v", expression, c)
		case err == nil && strings.ContainsAny(expression, "()<,"):
			t.Fatalf("%q was taken for %+v", expression, c)
		}
	})
}

// The check values are those of the CRC catalogue for "123456789".
func TestChecksumAlgorithms(t *testing.T) {
	for name, want := range map[string]string{
		"x-amz-checksum-crc32":     "y/Q5Jg==",     // cbf43926
		"x-amz-checksum-crc32c":    "4waSgw==",     // e3069283
		"x-amz-checksum-crc64nvme": "rosUhgp5mIg=", // ae8b14860a799888
	} {
		for _, got := range []string{want, "AAAAAA=="} {
			b, err := openBody(strings.NewReader("123456789"), http.Header{http.CanonicalHeaderKey(name): {got}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(b); (err == nil) != (got == want) {
				t.Errorf("%s: %s: %v", name, got, err)
			}
		}
	}
}

func TestAccessKeyID(t *testing.T) {
	for header, want := range map[string]string{
		"AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0": "AKID",
		"AWS4-HMAC-SHA256 SignedHeaders=host,Credential=AKID/x,Signature=0":                                    "AKID",
		"AWS4-HMAC-SHA256":   "",
		"Bearer Credential=": "",
		"":                   "",
	} {
		r := &http.Request{Header: http.Header{"Authorization": {header}}}
		if got := accessKeyID(r); got != want {
			t.Errorf("%q: %q", header, got)
		}
	}
}
