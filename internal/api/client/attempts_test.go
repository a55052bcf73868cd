package client

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// answers is a transport whose n-th answer is the n-th function's.
type answers []func() *http.Response

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	res := (*a)[0]()
	*a = (*a)[1:]
	res.Request = r
	return res, nil
}

func respond(status int, retryAfter func() string) func() *http.Response {
	return func() *http.Response {
		return &http.Response{
			StatusCode: status, Header: http.Header{"Retry-After": {retryAfter()}},
			Body: io.NopCloser(strings.NewReader(`{"items":[]}`)),
		}
	}
}

func TestClient_WaitsAsLongAsTheServerAsks(t *testing.T) {
	for what, c := range map[string]struct {
		field func() string
		least time.Duration
	}{
		"seconds":  {func() string { return "7" }, 7 * time.Second},
		"a date":   {func() string { return time.Now().Add(5 * time.Second).UTC().Format(http.TimeFormat) }, 4 * time.Second},
		"too long": {func() string { return "3600" }, longestAsked},
		"nothing":  {func() string { return "" }, 0},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cl := New("http://anchor.test", "")
				cl.http.Transport = &answers{respond(503, c.field), respond(429, c.field), respond(200, c.field)}
				start := time.Now()
				if _, err := cl.Projects(t.Context(), anchor.Page{}); err != nil {
					t.Fatal(err)
				}
				// The pauses of the client itself are up to 200 and 400 ms, and a date has whole seconds.
				took := time.Since(start)
				if took < 2*c.least || took > 2*(c.least+time.Second)+600*time.Millisecond {
					t.Errorf("two pauses last %s, want %s each", took, c.least)
				}
			})
		})
	}
}
