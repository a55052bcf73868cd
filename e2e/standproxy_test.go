//go:build slow

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// standProxy is between everybody and the emulator: the user's commands, the handlers that run
// inside the emulator, and the functions of the sites. It names and keeps each call, leads the
// sites' names to the test's CloudFront, and breaks calls.
type standProxy struct {
	*httptest.Server
	mu       sync.Mutex
	emulator *httputil.ReverseProxy // nil until the emulator has started
	front    http.Handler
	calls    []string
	faults   []*standFault
}

// standFault breaks the calls whose name matches, after the first skip of them, as often as times
// says (0: always).
type standFault struct {
	call        *regexp.Regexp // matches "service Operation path"
	skip, times int
	after       bool          // the call takes effect before it breaks
	delay       time.Duration // before anything else
	status      int           // 0: the connection is dropped
	code        string        // AWS's error code

	seen, struck int
}

func newStandProxy(t *testing.T) *standProxy {
	t.Helper()
	p := &standProxy{}
	p.Server = httptest.NewServer(p)
	t.Cleanup(func() { p.CloseClientConnections(); p.Close() })
	return p
}

// aim leads the calls on to an emulator and to a CloudFront of its distributions.
func (p *standProxy) aim(t *testing.T, endpoint string, front http.Handler) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.emulator, p.front = proxyTo(t, endpoint), front
}

// breaks adds a fault until the test ends or mend is called, which reports how many calls it broke.
func (p *standProxy) breaks(t *testing.T, f standFault) (mend func() int) {
	t.Helper()
	t.Cleanup(func() { mend() })
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, &f)
	return func() int {
		p.mu.Lock()
		defer p.mu.Unlock()
		f.call = regexp.MustCompile(`^\z`)
		return f.struck
	}
}

// logged returns the calls so far that match.
func (p *standProxy) logged(pattern string) (calls []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.calls {
		if regexp.MustCompile(pattern).MatchString(c) {
			calls = append(calls, c)
		}
	}
	return calls
}

// ServeHTTP implements http.Handler.
func (p *standProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, _ := strings.Cut(r.Host, ":")
	call := callName(r)
	p.mu.Lock()
	started, next := p.emulator != nil, http.Handler(p.emulator)
	if strings.HasSuffix(host, ".cloudfront.net") && started {
		next = p.front
	}
	p.calls = append(p.calls, call)
	fault := p.faultOf(call)
	p.mu.Unlock()
	switch {
	case !started:
		http.Error(w, "the emulator has not started", http.StatusServiceUnavailable)
	case fault == nil:
		next.ServeHTTP(w, r)
	default:
		fault.strike(w, r, next)
	}
}

func (p *standProxy) faultOf(call string) *standFault {
	for _, f := range p.faults {
		if !f.call.MatchString(call) {
			continue
		}
		if f.seen++; f.seen > f.skip && (f.times == 0 || f.seen <= f.skip+f.times) {
			f.struck++
			broken := *f
			return &broken
		}
	}
	return nil
}

func (f *standFault) strike(w http.ResponseWriter, r *http.Request, next http.Handler) {
	select {
	case <-time.After(f.delay):
	case <-r.Context().Done():
	}
	if f.after {
		next.ServeHTTP(httptest.NewRecorder(), r)
	}
	if f.status == 0 {
		panic(http.ErrAbortHandler)
	}
	message := "the stand refuses " + f.call.String()
	w.Header().Set("X-Amzn-Errortype", f.code)
	if text := r.Header.Get("Content-Type"); strings.Contains(text, "json") || r.Header.Get("X-Amz-Target") != "" || serviceOf(r) == "lambda" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(f.status)
		fmt.Fprintf(w, `{"__type":%q,"message":%q,"Message":%q}`, f.code, message, message)
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(f.status)
	fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>stand</Message></Error></ErrorResponse>", f.code)
}

// credential is the scope of a signature of version 4: KEY/DATE/REGION/SERVICE/aws4_request.
var credential = regexp.MustCompile(`Credential=[^/]+(?:/|%2F)\d+(?:/|%2F)[a-z0-9-]+(?:/|%2F)([a-z0-9-]+)`)

// serviceOf returns the service that a request is signed for, or else the host.
func serviceOf(r *http.Request) string {
	if m := credential.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
		return m[1]
	}
	if m := credential.FindStringSubmatch(r.URL.RawQuery); m != nil {
		return m[1] // presigned
	}
	return r.Host
}

// lambdaCalls are the operations that the faults name; others have their method as name.
var lambdaCalls = []struct {
	operation, method string
	path              *regexp.Regexp
}{
	{"Invoke", http.MethodPost, regexp.MustCompile(`/functions/[^/]+/invocations$`)},
	{"PublishVersion", http.MethodPost, regexp.MustCompile(`/functions/[^/]+/versions$`)},
	{"CreateAlias", http.MethodPost, regexp.MustCompile(`/functions/[^/]+/aliases$`)},
	{"UpdateAlias", http.MethodPut, regexp.MustCompile(`/functions/[^/]+/aliases/[^/]+$`)},
	{"UpdateFunctionCode", http.MethodPut, regexp.MustCompile(`/functions/[^/]+/code$`)},
	{"CreateFunction", http.MethodPost, regexp.MustCompile(`/functions$`)},
}

// callName returns "service Operation path", with the content type for the API's own calls.
func callName(r *http.Request) string {
	service, operation := serviceOf(r), r.Method
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		operation = target[strings.LastIndexByte(target, '.')+1:]
	}
	for _, c := range lambdaCalls {
		if service == "lambda" && r.Method == c.method && c.path.MatchString(r.URL.Path) {
			operation = c.operation
		}
	}
	name := service + " " + operation + " " + r.URL.Path
	if strings.Contains(service, ".execute-api.") {
		name += " " + r.Header.Get("Content-Type")
	}
	return name
}
