package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// statusOf returns the HTTP status of a kind of error; no other place decides it.
func statusOf(kind anchor.Kind) int {
	switch kind {
	case anchor.KindInvalid:
		return http.StatusBadRequest
	case anchor.KindUnauthorized:
		return http.StatusUnauthorized
	case anchor.KindForbidden:
		return http.StatusForbidden
	case anchor.KindNotFound:
		return http.StatusNotFound
	case anchor.KindConflict:
		return http.StatusConflict
	case anchor.KindTooLarge:
		return http.StatusRequestEntityTooLarge
	case anchor.KindBusy:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// problem is the error every handler returns to huma (RFC 9457).
type problem struct {
	wire.Problem
	header http.Header
}

func (p *problem) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *problem) GetStatus() int { return p.Status }

// GetHeaders implements huma.HeadersError.
func (p *problem) GetHeaders() http.Header { return p.header }

// ContentType implements huma.ContentTypeFilter.
func (p *problem) ContentType(string) string { return "application/problem+json" }

func newProblem(status int, code, detail, hint string) *problem {
	return &problem{Problem: wire.Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: detail, Code: code, Hint: hint,
	}}
}

// problemOf shapes err for the client. Errors without a message for users are logged under the
// request's id and reported as an internal error.
func problemOf(ctx context.Context, log *slog.Logger, err error) *problem {
	if p := (*problem)(nil); errors.As(err, &p) {
		return p
	}
	var tooLong *http.MaxBytesError
	if errors.As(err, &tooLong) {
		return newProblem(http.StatusRequestEntityTooLarge, "too_large", "the body is too large", "")
	}
	var e *anchor.Error
	if !errors.As(err, &e) {
		return internalProblem(ctx, log, err)
	}
	p := newProblem(statusOf(e.Kind), e.Code, detailOf(e), e.Hint)
	if p.Code == "" {
		p.Code = string(e.Kind)
	}
	switch e.Kind {
	case anchor.KindFailed:
		p.RequestID = requestID(ctx)
		log.ErrorContext(ctx, "request failed", "requestId", p.RequestID, "code", p.Code, "error", err)
	case anchor.KindBusy:
		p.header = http.Header{"Retry-After": {"1"}}
	case anchor.KindUnauthorized:
		p.header = http.Header{"WWW-Authenticate": {`Bearer realm="anchor", error="invalid_token"`}}
	}
	return p
}

// detailOf keeps causes that are themselves written for users and drops the rest:
// they may name files and addresses of the server.
func detailOf(e *anchor.Error) string {
	if e.Message == "" {
		return string(e.Kind)
	}
	var cause *anchor.Error
	if e.Err != nil && errors.As(e.Err, &cause) {
		return e.Message + ": " + detailOf(cause)
	}
	return e.Message
}

func internalProblem(ctx context.Context, log *slog.Logger, err error) *problem {
	p := newProblem(http.StatusInternalServerError, "internal", "an internal error occurred",
		"Search the server's log for the request id.")
	p.RequestID = requestID(ctx)
	if ctx.Err() == nil { // else the client is gone, and the error follows from that
		log.ErrorContext(ctx, "request failed", "requestId", p.RequestID, "error", err)
	}
	return p
}

func writeProblem(w http.ResponseWriter, p *problem) {
	for name, values := range p.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p.Problem) // the client may be gone
}

// huma reports invalid requests through this variable, for every API of the process; there is
// no hook per API.
func init() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return validationProblem(status, message, errs)
	}
}

func validationProblem(status int, message string, errs []error) *problem {
	code, hint := "bad_request", "See /openapi.json for the request format."
	found := describeErrors(errs)
	var encoding *encodingError
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(errors.Join(errs...), &tooLong):
		status, code, message, found = http.StatusRequestEntityTooLarge, "too_large", "the body is too large", ""
	case errors.As(errors.Join(errs...), &encoding):
		status, code, hint = http.StatusBadRequest, "bad_encoding", "Send gzip with Content-Type: "+wire.GzipType+", or JSON without Content-Encoding."
	case status == http.StatusRequestEntityTooLarge:
		code = "too_large"
	case status == http.StatusUnsupportedMediaType:
		code, hint = "unsupported_media_type", "Send JSON with Content-Type: application/json."
	case status >= 500:
		code = "internal"
	case strings.Contains(found, unexpected):
		code, status = "unknown_field", http.StatusBadRequest
		found = strings.ReplaceAll(found, unexpected, "unknown field")
	case status == http.StatusUnprocessableEntity:
		code, status = "bad_field", http.StatusBadRequest
	case status == http.StatusBadRequest:
		code, hint = "bad_json", "The body must be one JSON object."
	}
	if found != "" && status < 500 {
		message += ": " + found
	}
	return newProblem(status, code, message, hint)
}

// unexpected is huma's message for a property the schema does not have.
const unexpected = "unexpected property"

// describeErrors lists what huma found as "body.slug: expected string; …".
func describeErrors(errs []error) string {
	var out []string
	for _, err := range errs {
		if err == nil {
			continue
		}
		text := err.Error()
		if d, ok := err.(huma.ErrorDetailer); ok {
			detail := d.ErrorDetail()
			text = strings.TrimPrefix(detail.Location+": "+detail.Message, ": ")
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}
