package awstest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
)

// Call is one HTTP request of an SDK client; a retry is another.
type Call struct {
	Operation  string // "Lambda.UpdateAlias": the SDK's id of the service and the operation
	Began, End time.Time
}

// Wire sends the calls of SDK clients to an emulator. It is an aws.HTTPClient.
type Wire struct {
	client    *http.Client
	transport *http.Transport

	mu     sync.Mutex
	calls  []Call
	faults []*Fault
	delay  time.Duration
	cut    int
}

// Fault is what happens to one call, instead of its normal course or after it.
type Fault struct {
	Operation string // "Lambda.UpdateAlias"
	Path      string // when not "", a part of the path and query, escaped, of the calls that are meant: "/my-function/"
	Nth       int    // which of the calls from now on, from 1; 0 is every one
	From      int    // the first of the calls from now on, when not 0 and Nth is 0
	After     bool   // the service executes the call and the answer is lost

	Status  int    // HTTP status of the answer; 0 breaks the connection, 200 breaks the answer off
	Code    string // "PreconditionFailedException", as the service spells it
	Message string
	Hang    bool // no answer at all until the caller gives up

	// Do, when not nil, is called at the moment of the fault: to change the state behind the
	// caller's back, or to end the caller. With neither Status, Code nor Hang set, the call then
	// continues normally.
	Do func()

	seen int
}

func newWire(address string) *Wire {
	// Some services put accounts and buckets into host names that cannot be resolved.
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", address)
		},
		MaxIdleConnsPerHost: 64,
		// Well before the emulators close it: a call on a connection that the other side is
		// closing is lost, and its retry adds a call.
		IdleConnTimeout: time.Second,
	}
	return &Wire{client: &http.Client{Transport: WholeBodies(transport)}, transport: transport}
}

func (w *Wire) close() { w.transport.CloseIdleConnections() }

// Break adds faults.
func (w *Wire) Break(faults ...Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range faults {
		w.faults = append(w.faults, &f)
	}
}

// Mend removes all faults and the delay.
func (w *Wire) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults, w.delay = nil, 0
}

// Slow makes every call take d longer.
func (w *Wire) Slow(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.delay = d
}

// Record forgets the calls so far and returns a function that returns the calls since.
func (w *Wire) Record() (calls func() []Call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = nil
	return func() []Call {
		w.mu.Lock()
		defer w.mu.Unlock()
		return append([]Call(nil), w.calls...)
	}
}

// Serial returns the length of the longest chain of calls in which each began after the one
// before it had ended.
func Serial(calls []Call) int {
	chain := make([]int, len(calls))
	longest := 0
	for i, c := range calls {
		chain[i] = 1
		for j, before := range calls {
			if !before.End.After(c.Began) && chain[j] >= chain[i] {
				chain[i] = chain[j] + 1
			}
		}
		longest = max(longest, chain[i])
	}
	return longest
}

// Do implements aws.HTTPClient.
func (w *Wire) Do(r *http.Request) (*http.Response, error) {
	operation := awsmiddleware.GetServiceID(r.Context()) + "." + awsmiddleware.GetOperationName(r.Context())
	index, fault, delay := w.noteCall(operation, r.URL.RequestURI())
	defer w.endCall(index)
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	if fault == nil {
		return w.sendWatched(r)
	}
	if fault.After {
		res, err := w.sendCall(r)
		if err != nil {
			return nil, err
		}
		res.Body.Close()
	}
	if fault.Do != nil {
		fault.Do()
		if fault.Status == 0 && fault.Code == "" && !fault.Hang {
			return w.sendCall(r)
		}
	}
	return fault.answerFault(r)
}

func (w *Wire) sendCall(r *http.Request) (*http.Response, error) { return w.client.Do(r) }

// WholeBodies hides that the SDK's body implements io.WriterTo. The SDK closes the body once an answer
// begins, and an emulator answers so quickly that net/http may not have read the body's end yet.
// A closed body's Read returns io.EOF, which is that end, but its WriteTo returns it as an error,
// and net/http then closes the connection during the answer. The SDK repeats a call that has already
// had its effect. Every client of an emulator needs it.
func WholeBodies(next http.RoundTripper) http.RoundTripper { return wholeBodies{next} }

type wholeBodies struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (w wholeBodies) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r = r.WithContext(r.Context())
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return w.next.RoundTrip(r)
}

// sendWatched sends a call and records when the emulator, not the test, cuts it.
func (w *Wire) sendWatched(r *http.Request) (*http.Response, error) {
	res, err := w.sendCall(r)
	if err != nil {
		w.noteCut(r.Context(), err)
		return nil, err
	}
	res.Body = &watchedBody{res.Body, func(err error) { w.noteCut(r.Context(), err) }}
	return res, nil
}

type watchedBody struct {
	io.ReadCloser
	broke func(error)
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		b.broke(err)
	}
	return n, err
}

func (w *Wire) noteCut(ctx context.Context, err error) {
	if ctx.Err() != nil || err == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut++
}

// Cuts returns how many calls the emulator has cut. The SDK then retries, which adds a call to
// those that the code made.
func (w *Wire) Cuts() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cut
}

// noteCall records the call, in the order in which calls begin, and selects its fault.
func (w *Wire) noteCall(operation, path string) (index int, fault *Fault, delay time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, Call{Operation: operation, Began: time.Now()})
	for _, f := range w.faults {
		if f.Operation != operation || !strings.Contains(path, f.Path) {
			continue
		}
		if f.seen++; fault == nil && f.hits() {
			fault = f
		}
	}
	return len(w.calls) - 1, fault, w.delay
}

// hits reports whether the fault is for the call that was seen last.
func (f *Fault) hits() bool {
	if f.Nth != 0 {
		return f.seen == f.Nth
	}
	return f.seen >= f.From
}

func (w *Wire) endCall(index int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if index < len(w.calls) { // else Record forgot it
		w.calls[index].End = time.Now()
	}
}

func (f *Fault) answerFault(r *http.Request) (*http.Response, error) {
	if f.Hang {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if f.Status == 0 {
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by the test")}
	}
	kind, body := f.faultBody(awsmiddleware.GetServiceID(r.Context()))
	if f.Status == http.StatusOK {
		body = body[:1]
	}
	return &http.Response{
		StatusCode: f.Status, Status: http.StatusText(f.Status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {kind}, "X-Amzn-Errortype": {f.Code}},
		Body:          io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)), Request: r,
	}, nil
}

// faultBody formats the error as the service's protocol does.
func (f *Fault) faultBody(service string) (kind, body string) {
	switch service {
	case "S3":
		return "application/xml", fmt.Sprintf("<Error><Code>%s</Code><Message>%s</Message></Error>", f.Code, f.Message)
	case "CloudFront", "CloudFormation", "IAM", "STS":
		return "text/xml", fmt.Sprintf("<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>", f.Code, f.Message)
	default:
		return "application/json", fmt.Sprintf(`{"__type":%q,"code":%q,"message":%q,"Message":%q}`, f.Code, f.Code, f.Message, f.Message)
	}
}
