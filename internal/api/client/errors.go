package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// Unreachable reports that no Anchor answered at URL, or with URL "" that none was found on
// this machine.
type Unreachable struct {
	URL  string
	Err  error
	Hint string // what to do, "" for the usual
}

// Error leaves out what url.Error repeats of the request.
func (e *Unreachable) Error() string {
	err := e.Err
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err
	}
	if e.URL == "" {
		return fmt.Sprintf("no running Anchor server found: %v", err)
	}
	return fmt.Sprintf("no Anchor server answers at %s: %v", e.URL, err)
}

// Unwrap returns the cause.
func (e *Unreachable) Unwrap() error { return e.Err }

// brokenBody is an error of our own side while making the body.
type brokenBody struct{ err error }

func (e *brokenBody) Error() string { return e.err.Error() }
func (e *brokenBody) Unwrap() error { return e.err }

// isConnectionError reports whether err is the network's and not our own body's.
func isConnectionError(err error) bool {
	var transport *url.Error
	var ours *brokenBody
	return errors.As(err, &transport) && !errors.As(err, &ours)
}

// kindOfStatus turns a status back into the kind it was made from.
func kindOfStatus(status int) anchor.Kind {
	switch status {
	case http.StatusUnauthorized:
		return anchor.KindUnauthorized
	case http.StatusForbidden:
		return anchor.KindForbidden
	case http.StatusNotFound:
		return anchor.KindNotFound
	case http.StatusConflict:
		return anchor.KindConflict
	case http.StatusRequestEntityTooLarge:
		return anchor.KindTooLarge
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return anchor.KindBusy
	}
	if status < 500 {
		return anchor.KindInvalid
	}
	return anchor.KindFailed
}

// decodeError reads a problem (RFC 9457), or else uses the status of the answer: a proxy in
// front of Anchor is overloaded (API Gateway sends its own 429 and 503), or another program
// listens there.
func decodeError(res *http.Response) error {
	var p wire.Problem
	err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&p)
	if err != nil || p.Code == "" {
		e := &anchor.Error{Kind: kindOfStatus(res.StatusCode), Code: "not_anchor",
			Message: fmt.Sprintf("%s answered %s without an error description", res.Request.URL.Redacted(), res.Status)}
		if e.Kind == anchor.KindBusy {
			e.Code = "busy"
			return e.Hintf("The server is busy. Try again in a moment.")
		}
		return e.Hintf("Check that ANCHOR_URL is the URL of Anchor's API, not the URL of a site.")
	}
	return fromProblem(p)
}

func fromProblem(p wire.Problem) error {
	message := p.Detail
	if p.RequestID != "" {
		message += " (request " + p.RequestID + ")"
	}
	return &anchor.Error{Kind: kindOfStatus(p.Status), Code: p.Code, Message: message, Hint: p.Hint}
}
