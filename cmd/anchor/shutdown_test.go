package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/server"
)

// served is an app whose answers end when a gate opens, if one is named, and which continues to
// work after them until another gate opens.
const served = `
export const handler = awslambda.streamifyResponse(async (event, stream) => {
  const { answer, work } = Object.fromEntries(new URLSearchParams(event.rawQueryString));
  stream.setContentType("application/vnd.awslambda.http-integration-response");
  stream.write(JSON.stringify({ statusCode: 200, headers: { "content-type": "text/plain" } }));
  stream.write(new Uint8Array(8));
  stream.write("begun ");
  if (answer) await fetch(answer);
  stream.end("whole");
  if (!work) return;
  await fetch(work);
  await fetch(work + "-done");
});`

// gates are URLs that answer once they are opened. A worker can reach them from its jail, where
// it shares no files.
type gates struct {
	*httptest.Server
	answer, work, done chan struct{}
}

func newGates(t *testing.T) *gates {
	g := &gates{answer: make(chan struct{}), work: make(chan struct{}), done: make(chan struct{})}
	wait := func(gate chan struct{}) http.HandlerFunc {
		return func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-gate:
			case <-r.Context().Done():
			}
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/answer", wait(g.answer))
	mux.HandleFunc("/work", wait(g.work))
	mux.HandleFunc("/work-done", func(http.ResponseWriter, *http.Request) { close(g.done) })
	g.Server = httptest.NewServer(mux)
	t.Cleanup(g.Close)
	return g
}

const (
	output = `{"edgeFunctions":{},"origins":{"s3":{"type":"s3","originPath":"_assets","copy":[{"from":".open-next/assets","to":"_assets","cached":true,"versionedSubDir":"_next"}]},` +
		`"default":{"type":"function","handler":"index.handler","bundle":".open-next/server-functions/default","streaming":true,"wrapper":"aws-lambda-streaming","converter":"aws-apigw-v2"}},` +
		`"behaviors":[{"pattern":"*","origin":"default"},{"pattern":"BUILD_ID","origin":"s3"},{"pattern":"_next/*","origin":"s3"}],"additionalProps":{}}`
	required  = `{"version":1,"config":{"basePath":"","assetPrefix":"","images":{}}}`
	prerender = `{"version":4,"routes":{},"dynamicRoutes":{},"preview":{"previewModeId":"0123456789abcdef0123456789abcdef"}}`
	patience  = time.Minute // bounds waits; it only matters when something is broken
)

// runningServer is the command itself, run as anchor up.
type runningServer struct {
	server.Ready
	*exec.Cmd
	home string
}

// upWith deploys an app with that handler as the project shop to its own server, which is started
// with flags.
func upWith(t *testing.T, handler string, flags ...string) *runningServer {
	t.Helper()
	s := &runningServer{home: t.TempDir()}
	s.Cmd = s.command(append([]string{"up", "--json", "--data", filepath.Join(s.home, "data"), "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--node", "node"}, flags...)...)
	s.Stderr = os.Stderr
	stdout, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Process.Kill() }) // it has ended, unless the test failed
	if err := json.NewDecoder(stdout).Decode(&s.Ready); err != nil {
		t.Fatalf("anchor up printed no document: %v", err)
	}
	for name, text := range map[string]string{
		"package.json":                                                         `{"name":"shop","dependencies":{"next":"15.5.0"}}`,
		".open-next/open-next.output.json":                                     output,
		".open-next/assets/BUILD_ID":                                           "b1",
		".open-next/server-functions/default/index.mjs":                        handler,
		".open-next/server-functions/default/.next/required-server-files.json": required,
		".open-next/server-functions/default/.next/prerender-manifest.json":    prerender,
	} {
		path := filepath.Join(s.home, "shop", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := s.deploy("shop"); err != nil {
		t.Fatalf("deploy: %v\n%s", err, out)
	}
	return s
}

// deploy deploys the app and returns what the command prints.
func (s *runningServer) deploy(project string) (string, error) {
	out, err := s.command("deploy", "--prebuilt", filepath.Join(s.home, "shop"), "--project", project).CombinedOutput()
	return string(out), err
}

// command returns the anchor command, which this test program is under that name.
func (s *runningServer) command(args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(self)
	cmd.Args = append([]string{"anchor"}, args...)
	cmd.Env = append(os.Environ(), "HOME="+s.home, "XDG_DATA_HOME=", "XDG_RUNTIME_DIR=", "ANCHOR_URL=", "ANCHOR_TOKEN=")
	return cmd
}

// site returns the origin of the project that upWith deploys.
func (s *runningServer) site(t *testing.T) *url.URL {
	t.Helper()
	site, err := url.Parse(strings.Replace(s.SiteURL, "<project>", "shop", 1))
	if err != nil {
		t.Fatal(err)
	}
	return site
}

// get sends a request and returns when its answer has begun.
func (s *runningServer) get(t *testing.T, query url.Values) *http.Response {
	t.Helper()
	site := s.site(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%s/?%s", site.Port(), query.Encode()), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = site.Host
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func wantWhole(t *testing.T, resp *http.Response) {
	t.Helper()
	if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "begun whole" {
		t.Errorf("got %d %q, %v", resp.StatusCode, text, err)
	}
}

// ends waits until the process has ended.
func (s *runningServer) ends(t *testing.T) error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- s.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(patience):
		t.Fatal("it does not end")
		return nil
	}
}

// refusesConnections waits until the shutdown has begun.
func (s *runningServer) refusesConnections(t *testing.T) {
	t.Helper()
	at := "http://127.0.0.1:" + s.site(t).Port()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(at)
		if err != nil {
			return
		}
		resp.Body.Close()
		if time.Now().After(deadline) {
			t.Fatal("the server still listens")
		}
	}
}

// TestShutdown_WaitsForRequestsAndBackgroundWork sends each signal that makes Anchor shut down.
func TestShutdown_WaitsForRequestsAndBackgroundWork(t *testing.T) {
	// Under nohup this process ignores SIGHUP, and what it starts would inherit that.
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(hangups) })
	for name, sent := range map[string]os.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT, "SIGHUP": syscall.SIGHUP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := upWith(t, served)
			g := newGates(t)
			wantWhole(t, s.get(t, url.Values{"work": {g.URL + "/work"}}))
			inFlight := s.get(t, url.Values{"answer": {g.URL + "/answer"}})
			if err := s.Process.Signal(sent); err != nil {
				t.Fatal(err)
			}
			s.refusesConnections(t)
			close(g.answer)
			wantWhole(t, inFlight)
			close(g.work)
			if err := s.ends(t); err != nil {
				t.Errorf("it ended with %v", err)
			}
			select {
			case <-g.done:
			default:
				t.Error("the work after the answer was cut")
			}
		})
	}
}

func TestShutdown_SecondSignalEndsAtOnce(t *testing.T) {
	s := upWith(t, served)
	inFlight := s.get(t, url.Values{"answer": {newGates(t).URL + "/answer"}})
	if err := s.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.refusesConnections(t)
	ended := make(chan error, 1)
	go func() { ended <- s.Wait() }()
	for {
		select {
		case err := <-ended:
			if state := s.ProcessState.Sys().(syscall.WaitStatus); !state.Signaled() || state.Signal() != syscall.SIGTERM {
				t.Errorf("it ended with %v", err)
			}
			if _, err := io.ReadAll(inFlight.Body); err == nil {
				t.Error("the request in flight looks whole")
			}
			return
		case <-time.After(50 * time.Millisecond): // again, as an impatient operator does
			_ = s.Process.Signal(syscall.SIGTERM)
		}
	}
}

// TestServer_OutlivesReaderOfItsOutput is anchor up | head, or | tee at Ctrl-C, which ends tee first.
func TestServer_OutlivesReaderOfItsOutput(t *testing.T) {
	s := &runningServer{home: t.TempDir()}
	data := filepath.Join(s.home, "data")
	s.Cmd = s.command("up", "--data", data, "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--node", "node")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	s.Stdout, s.Stderr = w, w
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() { _ = s.Process.Kill() })
	for deadline := time.Now().Add(patience); s.command("status").Run() != nil; {
		if time.Now().After(deadline) {
			t.Fatal("it does not serve")
		}
	}
	if err := s.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.ends(t); err != nil {
		t.Errorf("it ended with %v", err)
	}
}
