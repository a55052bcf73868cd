package forge

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/testport"
)

// gitHubMock is Prism, which checks requests against the description of its API that GitHub publishes
// and answers with GitHub's examples.
type gitHubMock struct {
	*testing.T
	url string

	mu    sync.Mutex
	calls []string
	wrong []string
}

// serveGitHub starts the mock. It ends with the test.
func serveGitHub(t *testing.T) *gitHubMock {
	t.Helper()
	m := &gitHubMock{T: t}
	port := testport.Address(t)
	_, number, _ := strings.Cut(port, ":")
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "node", "payloads/node_modules/@stoplight/prism-cli/dist/index.js",
		"mock", "--errors", "--host", "127.0.0.1", "--port", number, "payloads/node_modules/github.json")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Start(); err != nil {
		t.Fatalf("start the mock of GitHub: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { stop(); <-ended })
	m.url = "http://" + port
	for {
		answer, err := http.Get(m.url + "/nothing")
		if err == nil {
			answer.Body.Close()
			return m
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("the mock of GitHub ended with %v; run make payloads\n%s", err, &out)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// RoundTrip implements http.RoundTripper: it notes what the mock did not accept.
func (m *gitHubMock) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := []byte{}
	if r.Body != nil {
		var err error
		if sent, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	if strings.HasPrefix(r.Header.Get("Accept"), "application/vnd.github.") {
		// GitHub takes its own media types for every route ("Media types"); its description names JSON only.
		r = r.Clone(r.Context())
		r.Header.Set("Accept", "application/json")
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	answer.Body.Close()
	answer.Header.Del("Link") // the example names a next page, which would be the same one
	answer.Body = io.NopCloser(bytes.NewReader(body))
	call := r.Method + " " + r.URL.Path
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, call)
	if answer.StatusCode >= 400 || answer.Header.Get("Sl-Violations") != "" {
		m.wrong = append(m.wrong, call+" "+string(sent)+": "+answer.Status+" "+string(body)+answer.Header.Get("Sl-Violations"))
	}
	return answer, nil
}

// accepted fails unless the mock has accepted all calls since the last time, which are these.
func (m *gitHubMock) accepted(calls ...string) {
	m.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if got, want := strings.Join(m.calls, "\n"), strings.Join(calls, "\n"); got != want {
		m.Errorf("GitHub was called with\n%s\nwant\n%s", got, want)
	}
	for _, wrong := range m.wrong {
		m.Errorf("GitHub's description refuses %s", wrong)
	}
	m.calls, m.wrong = nil, nil
}

// TestGitHub_CallsAreWhatGitHubDescribes makes every call that Anchor makes against the description that
// GitHub publishes.
func TestGitHub_CallsAreWhatGitHubDescribes(t *testing.T) {
	m := serveGitHub(t)
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute) // before the limit of go test, which would leave the mock behind
	defer stop()
	api := openHost(t, anchor.GitHub, m.url, func(a *Access) { a.HTTP = &http.Client{Transport: m, Timeout: time.Minute} })
	const shop = "/repos/acme/shop"

	// What the description refuses is refused here: or all below would prove nothing.
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url+shop+"/statuses/c0ffee", strings.NewReader(`{"state":"done"}`))
	must(t, err)
	r.Header.Set("Content-Type", "application/json")
	answer, err := m.RoundTrip(r)
	must(t, err)
	if answer.StatusCode != http.StatusUnprocessableEntity || len(m.wrong) != 1 {
		t.Fatalf("a wrong call is answered %d", answer.StatusCode)
	}
	m.calls, m.wrong = nil, nil

	for _, state := range []State{Waiting, Building, Success, Failure, Canceled, Inactive} {
		report := deployed
		report.State = state
		must(t, api.SetStatus(ctx, report))
		m.accepted("POST " + shop + "/statuses/c0ffee")
		id, err := api.SetDeployment(ctx, "", report)
		must(t, err)
		if id == "" || id == "0" {
			t.Errorf("the deployment has the id %q", id)
		}
		m.accepted("POST "+shop+"/deployments", "POST "+shop+"/deployments/"+id+"/statuses")
	}
	must(t, api.SetStatus(ctx, Report{Commit: "c0ffee", Context: "anchor/shop", State: Waiting})) // without what is not known yet
	production := deployed
	production.Production, production.URL = true, ""
	_, err = api.SetDeployment(ctx, "42", production)
	must(t, err)
	m.accepted("POST "+shop+"/statuses/c0ffee", "POST "+shop+"/deployments/42/statuses")

	must(t, api.RemoveEnvironment(ctx, "preview/feature/x"))
	m.accepted("DELETE " + shop + "/environments/preview/feature/x")

	id, err := api.Comment(ctx, 7, "", "<!-- anchor -->", "<!-- anchor -->\nhello")
	must(t, err)
	m.accepted("GET "+shop+"/issues/7/comments", "POST "+shop+"/issues/7/comments")
	_, err = api.Comment(ctx, 7, id, "<!-- anchor -->", "<!-- anchor -->\nhello again")
	must(t, err)
	m.accepted("PATCH " + shop + "/issues/comments/" + id)

	must(t, api.SetUp(ctx, Setup{URL: "https://anchor.example.com/hooks/shop/github", Secret: "s3cret", Title: "Anchor", Key: publicKey}))
	m.accepted("GET "+shop+"/hooks", "POST "+shop+"/hooks", "GET "+shop+"/keys", "POST "+shop+"/keys")
}
