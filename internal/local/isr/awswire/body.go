package awswire

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// objectBody is the body of a PutObject, without the aws-chunked framing. It compares the length
// and checksums before it ends. After a mismatch Read returns an error in place of io.EOF, so the
// object is not stored.
type objectBody struct {
	src     io.Reader
	chunks  *chunkedReader // nil if the body is not framed
	checks  []check
	want    int64 // bytes, -1 if the request does not say
	got     int64
	settled error
}

func openBody(raw io.Reader, head http.Header) (*objectBody, error) {
	b := &objectBody{src: raw, want: -1}
	if strings.HasPrefix(head.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		b.chunks = newChunkedReader(raw)
		b.src = b.chunks
		length := head.Get("X-Amz-Decoded-Content-Length")
		n, err := strconv.ParseInt(length, 10, 64)
		if err != nil || n < 0 {
			return nil, &s3Error{http.StatusLengthRequired, "MissingContentLength", fmt.Sprintf("X-Amz-Decoded-Content-Length is %q, not a length.", length)}
		}
		b.want = n
	}
	var err error
	b.checks, err = checksOf(head)
	return b, err
}

func (b *objectBody) Read(p []byte) (int, error) {
	if b.settled != nil {
		return 0, b.settled
	}
	n, err := b.src.Read(p)
	b.got += int64(n)
	for _, c := range b.checks {
		c.hash.Write(p[:n])
	}
	if err != nil {
		b.settled = b.settleError(err)
		err = b.settled
	}
	return n, err
}

func (b *objectBody) settleError(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &s3Error{http.StatusBadRequest, "IncompleteBody", "The body ended before its announced length."}
	case !errors.Is(err, io.EOF):
		return err
	case b.want >= 0 && b.got != b.want:
		return &s3Error{http.StatusBadRequest, "IncompleteBody", fmt.Sprintf("The body has %d bytes, X-Amz-Decoded-Content-Length says %d.", b.got, b.want)}
	}
	for _, c := range b.checks {
		want := c.want
		if c.inTrailer && b.chunks != nil {
			want = b.chunks.trailer[c.header]
		}
		if err := c.compareSum(want); err != nil {
			return err
		}
	}
	return io.EOF
}
