package api

import (
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// inflateBody makes the handlers read a JSON body as it was before it was compressed: one of
// wire.GzipType, or one of type application/json with a Content-Encoding (RFC 9110 §8.4), which
// does not pass API Gateway. The limits stay: the handlers bound what they read of it, and the
// compressed body may not be larger than that, because a body can inflate to nothing.
func inflateBody(w http.ResponseWriter, r *http.Request) *problem {
	coding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding")))
	encoded := coding != "" && coding != "identity"
	switch {
	case !encoded && isType(r.Header.Get("Content-Type"), wire.GzipType):
		r.Header.Set("Content-Type", "application/json")
	case !encoded:
		return nil
	case coding != "gzip", !isType(r.Header.Get("Content-Type"), "application/json"):
		p := newProblem(http.StatusUnsupportedMediaType, "unsupported_encoding",
			fmt.Sprintf("the content encoding %q is not supported", coding), "Send JSON as it is or as "+wire.GzipType+", and files as they are.")
		p.header = http.Header{"Accept-Encoding": {"gzip"}}
		return p
	}
	r.Body = &inflated{body: http.MaxBytesReader(w, r.Body, maxManifest)}
	r.ContentLength = -1
	r.Header.Del("Content-Encoding")
	r.Header.Del("Content-Length")
	return nil
}

// inflated begins to read the body when it is read itself, which is after the token
// was checked.
type inflated struct {
	body io.ReadCloser
	from *gzip.Reader
}

func (b *inflated) Read(p []byte) (int, error) {
	if b.from == nil {
		var err error
		if b.from, err = gzip.NewReader(b.body); err != nil {
			return 0, badEncoding(err)
		}
	}
	n, err := b.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = badEncoding(err)
	}
	return n, err
}

func (b *inflated) Close() error { return b.body.Close() }

// encodingError marks a body that is not compressed as its header says.
type encodingError struct{ err error }

func (e *encodingError) Error() string { return "the body is not valid gzip: " + e.err.Error() }

func badEncoding(err error) error {
	var corrupt flate.CorruptInputError
	for _, format := range []error{gzip.ErrHeader, gzip.ErrChecksum, io.ErrUnexpectedEOF, io.EOF} {
		if errors.Is(err, format) || errors.As(err, &corrupt) {
			return &encodingError{err}
		}
	}
	return err // the connection's
}
