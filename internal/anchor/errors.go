package anchor

import (
	"errors"
	"fmt"
)

// Kind sorts errors by what the caller can do about them. HTTP status and exit
// code are derived from it, each in one place.
type Kind string

// The kinds of Error.
const (
	KindInvalid      Kind = "invalid"      // the input is wrong: 400
	KindUnauthorized Kind = "unauthorized" // no or an unknown token: 401
	KindForbidden    Kind = "forbidden"    // the token's scope is too small: 403
	KindNotFound     Kind = "not_found"    // 404
	KindConflict     Kind = "conflict"     // the state forbids it: 409
	KindTooLarge     Kind = "too_large"    // 413
	KindBusy         Kind = "busy"         // try again later: 503
	KindFailed       Kind = "failed"       // it was tried and went wrong: 500
)

// Error is an error for users: what happened to what (Message), what to do next (Hint), a
// stable Code for programs, and the cause.
type Error struct {
	Kind    Kind
	Code    string
	Message string
	Hint    string
	Err     error
}

// Error returns the message and the cause, without the hint.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return e.Message + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is(err, ErrNotFound) true for every Error of that kind.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == "" && t.Message == "" && t.Kind == e.Kind
}

// Because sets the cause and returns e.
func (e *Error) Because(err error) *Error { e.Err = err; return e }

// Hintf sets what to do next and returns e.
func (e *Error) Hintf(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// Targets for errors.Is.
var (
	ErrInvalid  = &Error{Kind: KindInvalid}
	ErrNotFound = &Error{Kind: KindNotFound}
	ErrConflict = &Error{Kind: KindConflict}
)

func newError(kind Kind, code, format string, args []any) *Error {
	return &Error{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid is an error about the input.
func Invalid(code, format string, args ...any) *Error {
	return newError(KindInvalid, code, format, args)
}

// NotFound is an error about something that does not exist.
func NotFound(code, format string, args ...any) *Error {
	return newError(KindNotFound, code, format, args)
}

// Conflict is an error about a state that forbids the request.
func Conflict(code, format string, args ...any) *Error {
	return newError(KindConflict, code, format, args)
}

// TooLarge is an error about an input beyond a limit.
func TooLarge(code, format string, args ...any) *Error {
	return newError(KindTooLarge, code, format, args)
}

// Failed is an error about an attempt that failed.
func Failed(code, format string, args ...any) *Error {
	return newError(KindFailed, code, format, args)
}

// KindOf returns the kind of the first Error in err's chain, KindFailed if there is none.
func KindOf(err error) Kind {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e.Kind
	}
	return KindFailed
}

// CodeOf returns the code of the first Error in err's chain, "" if there is none.
func CodeOf(err error) string {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// HintOf returns the hint of the first Error in err's chain, "" if there is none.
func HintOf(err error) string {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e.Hint
	}
	return ""
}
