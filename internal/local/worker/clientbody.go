package worker

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
)

// clientBody remembers why a request's body could not be read to its end: then the process did
// nothing wrong, and neither its log nor the client must read that it did.
type clientBody struct {
	io.Reader
	err atomic.Pointer[error]
}

func (b *clientBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err.CompareAndSwap(nil, &err)
	}
	return n, err
}

// readError returns the error of Read, or nil if it did not fail or there is no body.
func (b *clientBody) readError() error {
	if b == nil {
		return nil
	}
	if err := b.err.Load(); err != nil {
		return *err
	}
	return nil
}

// blameClient answers a client whose body could not be read. The deadline tells a body that came too
// slowly from a client that went: net/http ends the request's context for both.
func blameClient(w http.ResponseWriter, r *http.Request, err error) {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		respondText(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("The request body is larger than %d bytes.", tooLarge.Limit))
	case errors.Is(err, os.ErrDeadlineExceeded):
		respondText(w, http.StatusRequestTimeout, "The request body came too slowly.")
	case r.Context().Err() != nil:
		abandonRequest(w, r)
	default:
		respondText(w, http.StatusBadRequest, "The request body is malformed.")
	}
}

// abandonRequest ends a request whose client went before there was an answer. A client that only ended its
// side of the connection sees it broken off: there is no status for this case. A caller within
// Anchor gets 503.
func abandonRequest(w http.ResponseWriter, r *http.Request) {
	if r.Context().Value(http.ServerContextKey) != nil {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusServiceUnavailable)
}
