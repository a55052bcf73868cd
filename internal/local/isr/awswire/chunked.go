package awswire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

const (
	maxChunkLine    = 1 << 10
	maxTrailerLines = 16
)

// chunkedReader removes the aws-chunked framing of S3's "Signature Calculations for the
// Authorization Header: Transferring Payload in Multiple Chunks", with or without signatures and
// trailers:
//
//	<hex size>[;chunk-signature=...] CRLF <data> CRLF ... 0[;...] CRLF [<name>:<value> CRLF]... CRLF
//
// Signatures are skipped: see the package comment.
type chunkedReader struct {
	src     *bufio.Reader
	left    int64 // of the current chunk
	started bool
	done    bool
	trailer map[string]string // lower-case names; complete when Read returned io.EOF
}

func newChunkedReader(src io.Reader) *chunkedReader {
	return &chunkedReader{src: bufio.NewReaderSize(src, 8<<10), trailer: map[string]string{}}
}

func (c *chunkedReader) Read(p []byte) (int, error) {
	if c.done {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if c.left == 0 {
		if err := c.nextChunk(); err != nil {
			return 0, err
		}
	}
	n, err := c.src.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// nextChunk reads up to the data of the next chunk. It returns io.EOF at the end.
func (c *chunkedReader) nextChunk() error {
	if c.started {
		if line, err := c.readLine(); err != nil {
			return err
		} else if line != "" {
			return malformedError("a chunk is longer than its size: %q", line)
		}
	}
	c.started = true
	line, err := c.readLine()
	if err != nil {
		return err
	}
	size, _, _ := strings.Cut(line, ";")
	n, err := strconv.ParseUint(size, 16, 40)
	if err != nil {
		return malformedError("%q is not a chunk size", size)
	}
	if n > 0 {
		c.left = int64(n)
		return nil
	}
	return c.readTrailer()
}

func (c *chunkedReader) readTrailer() error {
	for range maxTrailerLines {
		line, err := c.readLine()
		if err != nil {
			return err
		}
		if line == "" {
			return c.readEnd()
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return malformedError("%q is not a trailer", line)
		}
		c.trailer[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
	}
	return malformedError("there are more than %d trailers", maxTrailerLines)
}

func (c *chunkedReader) readEnd() error {
	if _, err := c.src.ReadByte(); err == nil {
		return malformedError("something follows the last chunk")
	} else if err != io.EOF {
		return err
	}
	c.done = true
	return io.EOF
}

// readLine reads a line that ends in CRLF and returns it without the CRLF.
func (c *chunkedReader) readLine() (string, error) {
	var line []byte
	for {
		part, err := c.src.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxChunkLine:
			return "", malformedError("a line is longer than %d bytes", maxChunkLine)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == io.EOF:
			return "", io.ErrUnexpectedEOF
		case err != nil:
			return "", err
		}
		line, ok := bytes.CutSuffix(line, []byte("\r\n"))
		if !ok {
			return "", malformedError("a line does not end in CRLF")
		}
		return string(line), nil
	}
}

func malformedError(format string, args ...any) error {
	return &s3Error{http.StatusBadRequest, "InvalidRequest", "The aws-chunked body is malformed: " + fmt.Sprintf(format, args...) + "."}
}
