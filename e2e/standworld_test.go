//go:build slow

package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/front/fronttest"
	"github.com/anchor-deploy/anchor/internal/aws/function/functiontest"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// stand is an AWS account in which everything of Anchor is what users get: bin/anchor, and the
// handlers' zip that it carries, which the emulator executes behind the HTTP API and the schedule
// that the template makes. Only AWS itself is replaced.
type stand struct {
	cloud    *awstest.Cloud
	proxy    *standProxy
	edge     *fronttest.Edge
	internet *internet
	env      []string // of the user's commands
	made     bootstrapped
	token    string
	client   *http.Client // a user's, who resolves the names of AWS
}

// standAccount owns what the emulator is asked for without a signature: a request to an HTTP API names no account.
const standAccount = "123456789012"

func newStand(t *testing.T) *stand {
	t.Helper()
	node, err := functiontest.NewRuntime(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &stand{proxy: newStandProxy(t)}
	s.internet = newInternet(t, s.proxy.URL)
	// A handler inherits what the emulator's process has.
	s.cloud = awstest.MiniStackWith(t, slices.Concat(node.Env(), s.internet.env(), []string{
		"AWS_ENDPOINT_URL=" + s.proxy.URL, "NO_PROXY=127.0.0.1,localhost", "MINISTACK_ACCOUNT_ID=" + standAccount,
		// The emulator finds the account in signatures of version 4 only.
		"AWS_AUTH_SCHEME_PREFERENCE=sigv4",
	})...)
	s.cloud.Account = standAccount
	s.edge = fronttest.New(t, s.cloud)
	s.proxy.aim(t, s.cloud.Endpoint, s.edge)
	node.Front(t, s.cloud.Endpoint, s.proxy.URL)
	node.Front(t, s.proxy.URL, s.proxy.URL)
	through, err := url.Parse(s.internet.URL)
	if err != nil {
		t.Fatal(err)
	}
	s.client = &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyURL(through), DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(s.client.CloseIdleConnections)
	s.env = slices.Concat(os.Environ(), s.cloud.Env(), s.internet.env(), []string{
		"AWS_ENDPOINT_URL=" + s.proxy.URL, "HOME=" + t.TempDir(), "XDG_CACHE_HOME=" + t.TempDir(), "NO_COLOR=1",
	})
	return s
}

// architecture is this machine's, in Lambda's words: the emulator executes the handlers here.
func architecture() string {
	if runtime.GOARCH == "amd64" {
		return "x86_64"
	}
	return runtime.GOARCH
}

// run runs bin/anchor as a user does.
func (s *stand) run(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "../bin/anchor", args...)
	cmd.Env = s.env
	if s.made.APIURL != "" {
		cmd.Env = append(slices.Clone(s.env), "ANCHOR_URL="+s.made.APIURL)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// must runs a command that has to succeed, and decodes its document.
func (s *stand) must(t *testing.T, into any, args ...string) {
	t.Helper()
	out, errs, code := s.run(t, append(args, "--json")...)
	if code != 0 {
		t.Fatalf("anchor %v ended with %d:\n%s%s", args, code, out, errs)
	}
	if err := json.Unmarshal([]byte(out), into); err != nil {
		t.Fatalf("anchor %v prints %s: %v", args, out, err)
	}
}

// call sends a request to the installation's HTTP API, as curl would.
func (s *stand) call(t *testing.T, method, path string, in, out any) int {
	t.Helper()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.made.APIURL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if out != nil && len(text) > 0 {
		if err := json.Unmarshal(text, out); err != nil {
			t.Fatalf("%s %s answers %d: %s", method, path, res.StatusCode, text)
		}
	}
	return res.StatusCode
}

// get requests a page of a site, whose URL is that of a distribution.
func (s *stand) get(t *testing.T, url string, headers ...string) page {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.Replace(url, "https://", "http://", 1), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return page{Status: res.StatusCode, Header: res.Header, Body: string(body)}
}

// holdings is what testdata/look.py prints of an account.
type holdings struct {
	Functions map[string]struct {
		Runtime, Role   string
		Timeout, Memory int
		Aliases         map[string]string
		Versions, URLs  []string
	}
	Buckets       map[string]int
	Distributions map[string]struct {
		HTTP     string
		Enabled  bool
		Origins  []string
		Function int
		Tags     map[string]string
	}
	Certificates   map[string]map[string]string
	EdgeFunctions  []string
	Stores         []string
	Tenants        []struct{ Domain, Status string }
	Queues         []string
	Tables         []string
	Roles          []string
	Stacks         []string
	APIs           []string
	Builds         []string
	Rules          []string
	Schedules      []string
	ScheduleGroups []string
	Parameters     []string
	Logs           []string
}

// look returns what boto3 finds in the account.
func (s *stand) look(t *testing.T) (h holdings) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), awstest.Tool(t, "python"), "testdata/look.py")
	cmd.Env = append(os.Environ(), s.cloud.Env()...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &h); err != nil {
		t.Fatalf("look.py prints %s: %v", out, err)
	}
	return h
}

// readToken reads the token that bootstrap stored.
func (s *stand) readToken(t *testing.T) {
	t.Helper()
	kept, err := os.ReadFile(s.made.TokenFile)
	if err != nil {
		t.Fatal(err)
	}
	var first struct{ URL, Token string }
	if err := json.Unmarshal(kept, &first); err != nil || first.URL != s.made.APIURL || first.Token == "" {
		t.Fatalf("the token's file holds %s (%v)", kept, err)
	}
	s.token = first.Token
}

func (s *stand) rollback(t *testing.T, to string, out any) int {
	t.Helper()
	return s.call(t, http.MethodPost, "/projects/shop/rollback", map[string]string{"targetDeploymentId": to}, out)
}

// reconcile delivers the schedule's event, which the emulator delivers each minute.
func (s *stand) reconcile(t *testing.T, handler string) {
	t.Helper()
	s.cloud.CLI(t, "lambda", "invoke", "--function-name", handler, "--payload", `{"reconcile": true}`, os.DevNull)
}

// standRecord is a deployment's record.
type standRecord struct {
	DeploymentID, Status, ErrorStep, ErrorMessage string
	Functions                                     map[string]functionVersion
}

// records returns the records of the project, newest first.
func (s *stand) records(t *testing.T) []standRecord {
	t.Helper()
	var list struct{ Items []standRecord }
	if code := s.call(t, http.MethodGet, "/projects/shop/deployments", nil, &list); code != 200 || len(list.Items) == 0 {
		t.Fatalf("the deployments' list answers %d: %+v", code, list)
	}
	return list.Items
}

// deploy deploys a build, whose front page has the text, and asserts that it is live.
func (a *standApp) deploy(t *testing.T, app, text string) release {
	t.Helper()
	r := release{text: text}
	a.must(t, &r.deployed, "deploy", "--prebuilt", app, "--project", "shop")
	if r.Status != "deployed" {
		t.Fatalf("the deployment is %+v", r)
	}
	if a.site == "" {
		a.site = r.URL
	}
	a.wantLive(t, r)
	return r
}

// goBack rolls back to a release.
func (a *standApp) goBack(t *testing.T, r release) {
	t.Helper()
	if code := a.rollback(t, r.DeploymentID, nil); code != 200 {
		t.Errorf("the rollback answers %d", code)
	}
}

// tinyApp writes a build with a server and an image function.
func tinyApp(t *testing.T, version string) string {
	return platformtest.NewApp(version).Images(version).Write(t)
}

// wantLive asserts that the pointer, each alias according to boto3, and a visitor's page agree on
// the deployment.
func (a *standApp) wantLive(t *testing.T, r release) {
	t.Helper()
	var live struct{ DeploymentID string }
	if code := a.call(t, http.MethodGet, "/projects/shop/live", nil, &live); code != 200 || live.DeploymentID != r.DeploymentID {
		t.Errorf("the pointer (%d) is at %s, want %s", code, live.DeploymentID, r.DeploymentID)
	}
	var record standRecord
	if code := a.call(t, http.MethodGet, "/projects/shop/deployments/"+r.DeploymentID, nil, &record); code != 200 || len(record.Functions) < 2 {
		t.Fatalf("the record answers %d: %+v", code, record)
	}
	held := a.look(t).Functions
	for name, want := range record.Functions {
		part := strings.Split(want.VersionArn, ":") // arn:aws:lambda:REGION:ACCOUNT:function:NAME:VERSION
		if got := held[part[6]].Aliases["live"]; got != want.Version {
			t.Errorf("live of %s (%s) is version %s, want %s", part[6], name, got, want.Version)
		}
	}
	if p := a.get(t, a.site+"/"); p.Status != 200 || !strings.Contains(p.Body, r.text) {
		t.Errorf("a visitor gets %d %.300q, want %s", p.Status, p.Body, r.text)
	}
}
