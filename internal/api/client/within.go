package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Within returns a client of an API in the same process, as the token and on behalf of the request for:
// the API sees the address that it came from, and its browser. Calls are not repeated.
func Within(handler http.Handler, token string, on *http.Request) *Client {
	return &Client{base: "http://localhost", token: token, http: &http.Client{Transport: within{handler, on}}, Attempts: 1}
}

// within is an http.RoundTripper that calls a handler. The handler runs beside its caller, so that streams
// arrive as they are written.
type within struct {
	handler http.Handler
	on      *http.Request
}

func (w within) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, stop := context.WithCancel(r.Context())
	inner := r.Clone(ctx)
	inner.RequestURI = r.URL.RequestURI()
	inner.RemoteAddr = w.on.RemoteAddr
	inner.Header.Set("User-Agent", w.on.UserAgent())
	if forwarded := w.on.Header.Values("X-Forwarded-For"); len(forwarded) > 0 {
		inner.Header["X-Forwarded-For"] = forwarded
	}
	if inner.Body == nil {
		inner.Body = http.NoBody
	}
	body, pipe := io.Pipe()
	answer := &pipeWriter{header: http.Header{}, begun: make(chan struct{}), pipe: pipe, buffer: bufio.NewWriter(pipe)}
	go func() {
		defer func() {
			if recover() != nil { // http.ErrAbortHandler: the handler has given up on its answer
				pipe.CloseWithError(errAborted)
			}
			answer.end()
		}()
		w.handler.ServeHTTP(answer, inner)
	}()
	select {
	case <-answer.begun:
	case <-ctx.Done():
		stop()
		body.Close()
		return nil, ctx.Err()
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", answer.status, http.StatusText(answer.status)), StatusCode: answer.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: answer.header.Clone(), Body: &pipedBody{body, stop}, ContentLength: -1, Request: r,
	}, nil
}

var errAborted = errors.New("the answer was cut off")

// pipedBody ends the request when it is closed.
type pipedBody struct {
	*io.PipeReader
	stop context.CancelFunc
}

func (b *pipedBody) Close() error {
	b.stop()
	return b.PipeReader.Close()
}

// pipeWriter is the http.ResponseWriter of a within.
type pipeWriter struct {
	header http.Header
	status int
	begun  chan struct{}
	pipe   *io.PipeWriter
	buffer *bufio.Writer
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
		close(w.begun)
	}
}

func (w *pipeWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.buffer.Write(b)
}

// FlushError implements what http.ResponseController flushes by.
func (w *pipeWriter) FlushError() error {
	w.WriteHeader(http.StatusOK)
	return w.buffer.Flush()
}

func (w *pipeWriter) end() {
	w.WriteHeader(http.StatusOK)
	if err := w.buffer.Flush(); err == nil {
		w.pipe.Close()
	}
}
