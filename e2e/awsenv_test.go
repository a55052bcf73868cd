package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// lambdaFunction is one of the installation's handlers as Lambda runs it: the real binary in
// execution environments, each of which processes one event at a time.
type lambdaFunction struct {
	t       *testing.T
	name    string
	binary  string
	env     []string
	timeout time.Duration

	mu   sync.Mutex
	idle []*environment
	all  []*environment
}

// invoke sends an event to an idle environment, or a new one, and returns its answer. The error
// of a failed event is the handler's.
func (f *lambdaFunction) invoke(ctx context.Context, event []byte) ([]byte, error) {
	e, err := f.environment()
	if err != nil {
		return nil, err
	}
	ctx, done := context.WithTimeout(ctx, f.timeout)
	defer done()
	answer, err := e.take(ctx, event)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	if ctx.Err() == nil { // else Lambda would have killed it
		f.mu.Lock()
		defer f.mu.Unlock()
		f.idle = append(f.idle, e)
	}
	if answer.failed {
		return nil, fmt.Errorf("%s: %s", f.name, answer.body)
	}
	return answer.body, nil
}

func (f *lambdaFunction) environment() (*environment, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.idle); n > 0 {
		e := f.idle[n-1]
		f.idle = f.idle[:n-1]
		return e, nil
	}
	dir, err := os.MkdirTemp("", "anchor-e2e-lambda-")
	if err != nil {
		return nil, err
	}
	e := newEnvironment(dir)
	if err := e.start(f.binary, f.env); err != nil {
		return nil, err
	}
	f.all = append(f.all, e)
	return e, nil
}

// close ends all environments, and shows their output if the test failed.
func (f *lambdaFunction) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.all {
		e.close()
		if f.t.Failed() {
			f.t.Logf("%s printed:\n%s", f.name, e.output.Bytes())
		}
	}
}

// environment is Lambda's runtime API (Lambda, "Using the Lambda runtime API for
// custom runtimes") for one process.
type environment struct {
	api     *httptest.Server
	cmd     *exec.Cmd
	dir     string // its /tmp
	output  bytes.Buffer
	ended   chan struct{}
	events  chan delivery
	answers chan answered
}

type delivery struct {
	body     []byte
	deadline time.Time
}

type answered struct {
	body   []byte
	failed bool
}

func newEnvironment(dir string) *environment {
	e := &environment{dir: dir, ended: make(chan struct{}), events: make(chan delivery), answers: make(chan answered, 1)}
	const invocation = "/2018-06-01/runtime/invocation/"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+invocation+"next", e.next)
	answer := func(failed bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				body, failed = []byte(err.Error()), true
			}
			w.WriteHeader(http.StatusAccepted)
			e.answers <- answered{body, failed}
		}
	}
	mux.HandleFunc("POST "+invocation+"request/response", answer(false))
	mux.HandleFunc("POST "+invocation+"request/error", answer(true))
	e.api = httptest.NewServer(mux)
	return e
}

func (e *environment) next(w http.ResponseWriter, r *http.Request) {
	select {
	case d := <-e.events:
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", "request")
		w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(d.deadline.UnixMilli()))
		w.Write(d.body)
	case <-r.Context().Done():
	}
}

func (e *environment) start(binary string, env []string) error {
	e.cmd = exec.Command(binary)
	e.cmd.Env = slices.Concat(env, []string{"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(e.api.URL, "http://"), "TMPDIR=" + e.dir})
	e.cmd.Stdout, e.cmd.Stderr = &e.output, &e.output
	if err := e.cmd.Start(); err != nil {
		return err
	}
	go func() { e.cmd.Wait(); close(e.ended) }()
	return nil
}

var errEnvironmentEnded = errors.New("the handler's process ended")

func (e *environment) take(ctx context.Context, event []byte) (answered, error) {
	deadline, _ := ctx.Deadline()
	select {
	case e.events <- delivery{event, deadline}:
	case <-e.ended:
		return answered{}, errEnvironmentEnded
	}
	select {
	case a := <-e.answers:
		return a, nil
	case <-e.ended:
		return answered{}, errEnvironmentEnded
	case <-ctx.Done():
		return answered{}, fmt.Errorf("the handler timed out: %w", ctx.Err())
	}
}

func (e *environment) close() {
	e.cmd.Process.Kill()
	<-e.ended
	e.api.CloseClientConnections()
	e.api.Close()
	os.RemoveAll(e.dir)
}
