package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/testport"
)

// anchor is a running `anchor up`, a process of its own.
type anchor struct {
	t         *testing.T
	data      string
	args      []string
	env       []string // of the server, beside the tests' own
	clientEnv []string // of the commands that run runs
	cmd       *exec.Cmd
	log       *bytes.Buffer
	sites     string // host:port of site traffic
	api       string // URL of the API, the same after a restart
	token     string
	ended     chan error
}

// upAnswer is what `anchor up --json` prints.
type upAnswer struct {
	URL       string `json:"url"` // http://<project>.localhost:3000
	API       string `json:"api"`
	TokenFile string `json:"tokenFile"`
}

// up starts Anchor over a fresh data folder that workers of other users can reach.
func up(t *testing.T, args ...string) *anchor {
	t.Helper()
	return upAt(t, "", args...)
}

// upAt is up with its own address for site traffic, or "".
func upAt(t *testing.T, sites string, args ...string) *anchor {
	t.Helper()
	data, err := os.MkdirTemp("", "anchor-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(data, 0o711); err != nil {
		t.Fatal(err)
	}
	a := &anchor{t: t, data: data, args: args, sites: cmp.Or(sites, testport.Address(t)), api: "http://" + testport.Address(t)}
	a.start()
	t.Cleanup(func() {
		a.stop()
		if t.Failed() {
			t.Logf("the server's log:\n%s", a.log)
		}
		os.RemoveAll(data)
	})
	return a
}

func (a *anchor) start() {
	a.t.Helper()
	args := append([]string{"up", "--data", a.data, "--api", strings.TrimPrefix(a.api, "http://"), "--listen", a.sites, "--node", "node", "--json"}, a.args...)
	a.cmd = command(context.Background(), args...)
	a.cmd.Env = append(a.cmd.Env, a.env...)
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	a.log = &bytes.Buffer{}
	a.cmd.Stderr = a.log
	if err := a.cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	a.ended = make(chan error, 1)
	var ready upAnswer
	if err := json.NewDecoder(out).Decode(&ready); err != nil {
		a.cmd.Wait()
		a.t.Fatalf("anchor up did not say it is ready: %v\n%s", err, a.log)
	}
	go func() {
		io.Copy(io.Discard, out)
		a.ended <- a.cmd.Wait()
	}()
	if ready.API != a.api {
		a.t.Fatalf("the API was to be at %s and is at %s", a.api, ready.API)
	}
	secret, err := os.ReadFile(ready.TokenFile)
	if err != nil {
		a.t.Fatal(err)
	}
	a.token = strings.TrimSpace(string(secret))
}

// stop ends Anchor as a service manager would.
func (a *anchor) stop() {
	if a.cmd == nil {
		return
	}
	a.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-a.ended:
	case <-time.After(2 * time.Minute):
		a.t.Errorf("anchor up did not end on SIGTERM")
		a.kill()
	}
	a.cmd = nil
}

// kill ends it with SIGKILL and waits until it has ended.
func (a *anchor) kill() {
	a.cmd.Process.Kill()
	<-a.ended
}

// command is the real main in a process of its own: the test binary runs it.
func command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), "ANCHOR_E2E_MAIN="+mainID(), "NO_COLOR=1")
	return cmd
}

// mainID is the value of ANCHOR_E2E_MAIN that makes the test binary Anchor.
func mainID() string { return strconv.Itoa(os.Getpid()) }

// run returns a CLI command's output and exit code.
func (a *anchor) run(args ...string) (stdout, stderr string, code int) {
	a.t.Helper()
	return a.runIn(nil, args...)
}

// runIn is run with env added to the command's environment.
func (a *anchor) runIn(env []string, args ...string) (stdout, stderr string, code int) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := command(ctx, args...)
	cmd.Env = slices.Concat(cmd.Env, a.clientEnv, []string{"ANCHOR_URL=" + a.api, "ANCHOR_TOKEN=" + a.token}, env)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		a.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// deployed is what `anchor deploy --json` prints.
type deployed struct {
	DeploymentID  string           `json:"deploymentId"`
	ProjectID     string           `json:"projectId"`
	Status        string           `json:"status"`
	URL           string           `json:"url"`
	DeploymentURL string           `json:"deploymentUrl"`
	Version       string           `json:"version"`
	BytesSent     int64            `json:"bytesSent"`
	FilesSent     int              `json:"filesSent"`
	FilesSkipped  int              `json:"filesSkipped"`
	Timings       map[string]int64 `json:"timings"`
}

func (a *anchor) deploy(app, project string, args ...string) deployed {
	a.t.Helper()
	if !slices.Contains(args, "--no-release") {
		args = append(args, "--prod") // whatever branch this repository is on
	}
	out, errs, code := a.run(append([]string{"deploy", "--prebuilt", app, "--project", project, "--json"}, args...)...)
	var d deployed
	if err := json.Unmarshal([]byte(out), &d); err != nil || code != 0 {
		a.t.Fatalf("anchor deploy ended with %d:\n%s%s", code, out, errs)
	}
	return d
}

// client returns a client that reaches every host name at this Anchor. Each client has its own
// connections.
func (a *anchor) client() *http.Client {
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, a.sites)
	}
	return &http.Client{
		Transport:     &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 16, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       60 * time.Second,
	}
}

// host is a project's host name with the port a browser would send.
func (a *anchor) host(project string) string {
	_, port, _ := net.SplitHostPort(a.sites)
	return fmt.Sprintf("%s.localhost:%s", project, port)
}

// call sends an API request and decodes its answer into out unless that is nil.
func (a *anchor) call(method, path string, in, out any) (int, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return 0, err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequest(method, a.api+path, body)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Authorization", "Bearer "+a.token)
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && out != nil && len(text) > 0 {
		err = json.Unmarshal(text, out)
	}
	return res.StatusCode, err
}

// variant creates the n-th version of the storefront in a folder of the test.
func variant(t *testing.T, n int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), LabelOf(n))
	if err := Variant(storefront, dir, n); err != nil {
		t.Fatal(err)
	}
	return dir
}

const storefront = "../examples/storefront"
