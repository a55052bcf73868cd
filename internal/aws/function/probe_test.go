package function_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// answering returns a server function whose body is statements.
func answering(statements string) string {
	return `export const handler = awslambda.streamifyResponse(async (event, stream) => {
		stream.setContentType("application/vnd.awslambda.http-integration-response");
		` + statements + ` });`
}

func TestProbe(t *testing.T) {
	s, p := newStand(t), newProject()
	for name, test := range map[string]struct {
		module, code string
		says         []string
	}{
		"a redirect is sane":         {answering(`stream.write('{"statusCode":307,"headers":{"location":"https://elsewhere.example/"}}'); stream.write(Buffer.alloc(8)); stream.end();`), "", nil},
		"a missing page is sane":     {answering(`stream.write('{"statusCode":404}'); stream.write(Buffer.alloc(8)); stream.end("no page");`), "", nil},
		"a page that fails":          {answering(`stream.write('{"statusCode":500}'); stream.write(Buffer.alloc(8)); stream.end("no");`), "probe_failed", []string{"GET /", "500"}},
		"a page that throws":         {answering(`throw new Error("no page today");`), "probe_failed", []string{"502", "no page today"}},
		"a process that ends":        {answering(`process.exit(3);`), "probe_failed", []string{"502"}},
		"a module that throws":       {`throw new Error("no module today");`, "probe_failed", []string{"no module today"}},
		"a module without a handler": {`export const other = 1;`, "probe_failed", []string{"no handler"}},
		"a module that is none":      {`export const handler = `, "probe_failed", nil},
		"a page that never comes":    {answering(`await new Promise((resolve) => setTimeout(resolve, 8_000));`), "probe_timeout", []string{"GET /", "3s"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := artifactOf(t, p, platformtest.NewApp("one").Server(test.module))
			s.publish(t, a)
			f := s.open()
			if test.code == "probe_timeout" {
				f.ProbeLimit = 3 * time.Second
			}
			err := f.Probe(t.Context(), a, t.Logf)
			if test.code == "" {
				must(t, err)
				return
			}
			wantCode(t, err, test.code)
			for _, word := range test.says {
				if err != nil && !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %q", err, word)
				}
			}
		})
	}
}

func TestProbe_StartsSplitFunctions(t *testing.T) {
	s, p := newStand(t), newProject()
	good := splitApp()
	a := artifactOf(t, p, good)
	s.publish(t, a)
	must(t, s.Probe(t.Context(), a, t.Logf))
	a = artifactOf(t, p, good.With("server-functions/api/index.mjs", `throw new Error("no module today");`))
	s.publish(t, a)
	err := s.Probe(t.Context(), a, t.Logf)
	wantCode(t, err, "start_crashed")
	if err != nil && (!strings.Contains(err.Error(), "function api crashes") || !strings.Contains(err.Error(), "no module today")) {
		t.Errorf("it says %v", err)
	}
}

// early is a function URL that is not known everywhere yet, and then one whose answer breaks off.
type early struct {
	next   http.RoundTripper
	before []func(*http.Request) (*http.Response, error)
	rest   func(*http.Request) (*http.Response, error)
}

func (e *early) RoundTrip(r *http.Request) (*http.Response, error) {
	if len(e.before) > 0 {
		first := e.before[0]
		e.before = e.before[1:]
		return first(r)
	}
	if e.rest != nil {
		return e.rest(r)
	}
	return e.next.RoundTrip(r)
}

func TestProbe_NewURL(t *testing.T) {
	s, p := newStand(t), newProject()
	a := artifactOf(t, p, platformtest.NewApp("one"))
	s.publish(t, a)
	s.HTTP = &http.Client{Transport: &early{next: s.client.Transport, before: []func(*http.Request) (*http.Response, error){
		func(*http.Request) (*http.Response, error) {
			return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
		},
		func(r *http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: http.StatusForbidden, Header: http.Header{"X-Amzn-Errortype": {"AccessDeniedException"}},
				Body: io.NopCloser(strings.NewReader(`{"Message":"Forbidden"}`)), Request: r,
			}, nil
		},
	}}}
	must(t, s.Probe(t.Context(), a, t.Logf))

	s.HTTP = &http.Client{Transport: &early{rest: func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(io.MultiReader(strings.NewReader("beg"), broken{})), Request: r}, nil
	}}}
	err := s.Probe(t.Context(), a, t.Logf)
	wantCode(t, err, "probe_failed")
	if err != nil && !strings.Contains(err.Error(), "broke off") {
		t.Errorf("it says %v", err)
	}

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Probe(canceled, a, t.Logf); !errors.Is(err, context.Canceled) || anchor.CodeOf(err) != "" {
		t.Errorf("canceled it says %v", err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
