package worker

import "net/http"

// Direct sends requests to one process, past its Pool. It is an http.RoundTripper for benchmarks,
// which measure with it what the way through the edge and the Pool costs.
type Direct struct{ hop *hop }

// NewDirect returns the Direct of the process that listens on a Unix socket.
func NewDirect(socket string) Direct { return Direct{newHop(socket)} }

// RoundTrip sends a request without a body.
func (d Direct) RoundTrip(r *http.Request) (*http.Response, error) {
	head, body, err := d.hop.exchangeMessages(r.Context(), outgoingHead(r), nil)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: head.status, Header: head.header, Body: body, ContentLength: head.length, Request: r}, nil
}
