package e2e

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/front/fronttest"
	"github.com/anchor-deploy/anchor/internal/aws/function/functiontest"
)

// account is an AWS account on an emulator, with an installation that `anchor aws bootstrap`
// created. The emulator has all of it except the handlers' runtime. The handlers are real
// processes here, behind a gateway with the installation's own routes. Its anchor is the CLI with
// ANCHOR_URL set to that gateway, and the test's CloudFront serves its projects.
type account struct {
	*anchor
	cloud    *awstest.Cloud
	handlers map[string]*lambdaFunction
	lambda   *lambdaService
	made     bootstrapped

	mu        sync.Mutex
	twice     bool     // deliver every asynchronous event twice
	delivered []string // events, as they were sent
	failed    []string // attempts at events, with their errors
	running   sync.WaitGroup
}

// bootstrapped is what `anchor aws bootstrap --json` prints.
type bootstrapped struct {
	APIURL          string `json:"apiUrl"`
	ArtifactsBucket string `json:"artifactsBucket"`
	AssetsBucket    string `json:"assetsBucket"`
	BuildProject    string `json:"buildProject"`
	Created         bool   `json:"created"`
	TokenFile       string `json:"tokenFile"`
}

func onAWS(t *testing.T) *account {
	t.Helper()
	runtime, err := functiontest.NewRuntime(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a := &account{anchor: &anchor{t: t}, cloud: awstest.MiniStackWith(t, runtime.Env()...), handlers: map[string]*lambdaFunction{}}
	a.clientEnv = append(a.cloud.Env(), "XDG_CONFIG_HOME="+t.TempDir(), "ANCHOR_E2E_HANDLERS="+standIn(t))
	binary, err := handlersBinary()
	if err != nil {
		t.Fatal(err)
	}
	a.bootstrap()
	net := newInternet(t, a.cloud.Endpoint)
	a.lambda = newLambdaService(t, a.cloud.Endpoint)
	a.lambda.handlers = func(name string) *lambdaFunction { return a.handlers[name] }
	a.lambda.invoked = a.deliver
	a.startHandlers(binary, slices.Concat(a.cloud.Env(), net.env(), []string{
		"AWS_ENDPOINT_URL_LAMBDA=" + a.lambda.URL,
		// The emulator finds the account in signatures of version 4 only.
		"AWS_AUTH_SCHEME_PREFERENCE=sigv4",
	}))
	t.Cleanup(func() {
		a.running.Wait()
		for _, f := range a.handlers {
			f.close()
		}
	})
	gateway := httptest.NewServer(newGateway(a))
	edge := httptest.NewServer(fronttest.New(t, a.cloud))
	t.Cleanup(func() { gateway.Close(); edge.Close() })
	runtime.Front(t, a.cloud.Endpoint, edge.URL)
	a.api, a.sites = gateway.URL, edge.Listener.Addr().String()
	return a
}

// handlersBinary builds the handlers' binary for all tests and returns its path.
var handlersBinary = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(scratch, "bootstrap")
	build := exec.Command("go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags", "-s -w", "-o", binary, "../cmd/anchor-lambda")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return binary, nil
})

// standIn returns a folder with what bootstrap uploads as the handlers' code. It is not the
// binary, because the emulator would run that at the schedule's times, and it could not reach the
// emulator.
func standIn(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	h := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate}
	h.SetMode(0o755)
	w, err := z.CreateHeader(h)
	if err == nil {
		_, err = io.WriteString(w, "#!/bin/sh\necho the handlers run elsewhere\nexit 1\n")
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "arm64.zip"), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// bootstrap creates the installation as a user does, and reads the token that it returns.
func (a *account) bootstrap() {
	a.t.Helper()
	out, errs, code := a.run("aws", "bootstrap", "--json")
	if err := json.Unmarshal([]byte(out), &a.made); err != nil || code != 0 {
		a.t.Fatalf("anchor aws bootstrap ended with %d:\n%s%s", code, out, errs)
	}
	kept, err := os.ReadFile(a.made.TokenFile)
	if err != nil {
		a.t.Fatal(err)
	}
	var first struct{ URL, Token string }
	if err := json.Unmarshal(kept, &first); err != nil || first.URL != a.made.APIURL || first.Token == "" {
		a.t.Fatalf("the token's file holds %s (%v)", kept, err)
	}
	a.token = first.Token
}

// startHandlers starts each function of the installation with what Lambda would set: the
// environment of the template, and its timeout.
func (a *account) startHandlers(binary string, env []string) {
	a.t.Helper()
	var list struct {
		Functions []struct {
			FunctionName string
			Timeout      int
			Environment  struct{ Variables map[string]string }
		}
	}
	a.aws(&list, "lambda", "list-functions")
	for _, f := range list.Functions {
		own := slices.Clone(env)
		for _, name := range slices.Sorted(maps.Keys(f.Environment.Variables)) {
			own = append(own, name+"="+f.Environment.Variables[name])
		}
		a.handlers[f.FunctionName] = &lambdaFunction{
			t: a.t, name: f.FunctionName, binary: binary, env: own, timeout: time.Duration(f.Timeout) * time.Second,
		}
	}
	for _, name := range []string{"deploy", "rollback", "domains", "api", "crons"} {
		if a.handlers["anchor-"+name] == nil {
			a.t.Fatalf("the installation has no function anchor-%s: %v", name, slices.Collect(maps.Keys(a.handlers)))
		}
	}
}

// aws runs the real AWS CLI.
func (a *account) aws(out any, args ...string) {
	a.t.Helper()
	text := a.cloud.CLI(a.t, append(args, "--output", "json")...)
	if err := json.Unmarshal([]byte(text), out); err != nil {
		a.t.Fatalf("aws %v: %v: %s", args, err, text)
	}
}

// deliver is Lambda's queue of asynchronous events: a failed event is retried twice, and any may
// be delivered twice.
func (a *account) deliver(f *lambdaFunction, event []byte) {
	a.mu.Lock()
	times := 1
	if a.twice {
		times = 2
	}
	a.delivered = append(a.delivered, string(event))
	a.mu.Unlock()
	for range times {
		a.running.Go(func() {
			for range 3 {
				_, err := f.invoke(context.Background(), event)
				if err == nil {
					return
				}
				a.mu.Lock()
				a.failed = append(a.failed, fmt.Sprintf("%s: %v", event, err))
				a.mu.Unlock()
			}
		})
	}
}

// events returns the events that were sent to the handlers asynchronously.
func (a *account) events() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.delivered)
}

// shop returns the site of a deployment's project as its visitors see it.
func (a *account) shop(t *testing.T, d deployed) *site {
	return &site{t: t, anchor: a.anchor, host: strings.TrimPrefix(d.URL, "https://"), client: a.client()}
}
