package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/app"
)

// served is an app whose answers end at once or when a file is there, and which works on after them.
const served = `
import fs from "node:fs";
const appears = async (name) => { while (!fs.existsSync(name)) await new Promise((r) => setTimeout(r, 10)); };
export const handler = awslambda.streamifyResponse(async (event, stream) => {
  const { answer, work } = event.queryStringParameters ?? Object.fromEntries(new URLSearchParams(event.rawQueryString));
  stream.setContentType("application/vnd.awslambda.http-integration-response");
  stream.write(JSON.stringify({ statusCode: 200, headers: { "content-type": "text/plain" } }));
  stream.write(new Uint8Array(8));
  stream.write("begun ");
  if (answer) await appears(answer);
  stream.end("whole");
  if (!work) return;
  await appears(work);
  fs.writeFileSync(work + ".done", "");
});`

const (
	output = `{"edgeFunctions":{},"origins":{"s3":{"type":"s3","originPath":"_assets","copy":[{"from":".open-next/assets","to":"_assets","cached":true,"versionedSubDir":"_next"}]},` +
		`"default":{"type":"function","handler":"index.handler","bundle":".open-next/server-functions/default","streaming":true,"wrapper":"aws-lambda-streaming","converter":"aws-apigw-v2"}},` +
		`"behaviors":[{"pattern":"*","origin":"default"},{"pattern":"BUILD_ID","origin":"s3"},{"pattern":"_next/*","origin":"s3"}],"additionalProps":{}}`
	required  = `{"version":1,"config":{"basePath":"","assetPrefix":"","images":{}}}`
	prerender = `{"version":4,"routes":{},"dynamicRoutes":{},"preview":{"previewModeId":"0123456789abcdef0123456789abcdef"}}`
	patience  = time.Minute // bounds waits; it only matters when something is broken
)

// server is the command itself, run as anchor up.
type server struct {
	app.Ready
	*exec.Cmd
	home string
}

// upWith deploys an app with that handler to a server of its own.
func upWith(t *testing.T, handler string) *server {
	t.Helper()
	s := &server{home: t.TempDir()}
	s.Cmd = s.command("up", "--json", "--data", filepath.Join(s.home, "data"), "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0")
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
	deploy := s.command("deploy", "--prebuilt", filepath.Join(s.home, "shop"), "--project", "shop")
	if out, err := deploy.CombinedOutput(); err != nil {
		t.Fatalf("deploy: %v\n%s", err, out)
	}
	return s
}

// command is anchor, which this test program is under that name.
func (s *server) command(args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(self)
	cmd.Args = append([]string{"anchor"}, args...)
	cmd.Env = append(os.Environ(), "HOME="+s.home, "XDG_DATA_HOME=", "XDG_RUNTIME_DIR=", "ANCHOR_URL=", "ANCHOR_TOKEN=")
	cmd.Stderr = os.Stderr
	if len(args) > 0 && args[0] != "up" {
		cmd.Stderr = nil
	}
	return cmd
}

// get sends a request, whose answer has begun when get returns.
func (s *server) get(t *testing.T, query url.Values) *http.Response {
	t.Helper()
	site, err := url.Parse(strings.Replace(s.SiteURL, "<project>", "shop", 1))
	if err != nil {
		t.Fatal(err)
	}
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

// ends waits for the end of the process.
func (s *server) ends(t *testing.T) error {
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
func (s *server) refusesConnections(t *testing.T) {
	t.Helper()
	site, err := url.Parse(strings.Replace(s.SiteURL, "<project>", "shop", 1))
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://127.0.0.1:" + site.Port())
		if err != nil {
			return
		}
		resp.Body.Close()
		if time.Now().After(deadline) {
			t.Fatal("it goes on listening")
		}
	}
}

func touch(t *testing.T, name string) {
	t.Helper()
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestShutdownWaitsForRequestsAndTheWorkAfterThem sends each signal that asks Anchor to end.
func TestShutdownWaitsForRequestsAndTheWorkAfterThem(t *testing.T) {
	for name, end := range map[string]func(*server) error{
		"SIGTERM": func(s *server) error { return s.Process.Signal(syscall.SIGTERM) },
		"SIGINT":  func(s *server) error { return s.Process.Signal(syscall.SIGINT) },
		"SIGHUP":  func(s *server) error { return s.Process.Signal(syscall.SIGHUP) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := upWith(t, served)
			dir := openFolder(t)
			answer, work := filepath.Join(dir, "answer"), filepath.Join(dir, "work")
			wantWhole(t, s.get(t, url.Values{"work": {work}}))
			inFlight := s.get(t, url.Values{"answer": {answer}})
			if err := end(s); err != nil {
				t.Fatal(err)
			}
			s.refusesConnections(t)
			touch(t, answer)
			wantWhole(t, inFlight)
			touch(t, work)
			if err := s.ends(t); err != nil {
				t.Errorf("it ended with %v", err)
			}
			if _, err := os.Stat(work + ".done"); err != nil {
				t.Errorf("the work after the answer was cut: %v", err)
			}
		})
	}
}

// openFolder is a folder in which workers of any user may write.
func openFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "shutdown")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	s := upWith(t, served)
	never := filepath.Join(openFolder(t), "never")
	inFlight := s.get(t, url.Values{"answer": {never}})
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

// TestAServerOutlivesTheReaderOfItsOutput is anchor up | head, or | tee at Ctrl-C, which ends tee first.
func TestAServerOutlivesTheReaderOfItsOutput(t *testing.T) {
	s := &server{home: t.TempDir()}
	data := filepath.Join(s.home, "data")
	s.Cmd = s.command("up", "--data", data, "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0")
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
