//go:build slow

package e2e

import (
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/aws/dynamo"
	"github.com/anchor-deploy/anchor/internal/aws/install"
	"github.com/anchor-deploy/anchor/internal/aws/installation"
)

// released is the template of the version before, as it was bootstrapped. A release replaces it with
// its own.
//
//go:embed testdata/template-released.yaml
var released string

// TestStandUpgrade upgrades an installation while visitors load its site: the stack of the version before
// becomes that of this one, after two bootstraps that were killed. The project then gets a role of its
// own and settings, and a rollback reaches what the version before published.
func TestStandUpgrade(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.bootstrapReleased(t)
	app := &standApp{stand: s}
	app.one = app.deploy(t, tinyApp(t, "before"), "before")
	if role := s.look(t).Functions["anchor-shop-server"].Role; !strings.Contains(role, "SiteRole") {
		t.Errorf("in the stack of the version before, the site runs as %s", role)
	}

	visitors := s.visit(t, app.site+"/", "before", "after")
	for _, call := range []string{`^s3 PUT /anchor-artifacts`, `^cloudformation POST`} {
		s.killBootstrap(t, call)
	}
	eventually(t, "bootstrap continues what was killed", func() bool {
		_, _, code := s.run(t, "aws", "bootstrap", "--arch", architecture())
		return code == 0
	})
	app.setsUp(t)
	app.two = app.deploy(t, tinyApp(t, "after"), "after")
	app.hasOwnRole(t)
	if code := s.rollback(t, app.one.DeploymentID, nil); code != 200 {
		t.Errorf("a rollback to the deployment from before answers %d", code)
	}
	app.wantLive(t, app.one)
	visitors.end(t)
	s.destroys(t)
}

// bootstrapReleased creates the installation that the version before would have created. Its handlers
// are this version's, as CloudFormation has them for a moment of every upgrade: new code in an old stack.
func (s *stand) bootstrapReleased(t *testing.T) {
	t.Helper()
	c := s.cloud.Config()
	i, err := install.New(install.Config{
		AWS: c, Template: released, Poll: 50 * time.Millisecond,
		Options: installation.Options{Version: "v0.0.0-0", Architecture: architecture()},
		Tokens: func(o installation.Outputs) install.Tokens {
			tables := dynamo.Tables{Projects: o.ProjectsTable, Deployments: o.DeploymentsTable, Domains: o.DomainsTable}
			return access.New(access.Ports{Tokens: dynamo.New(dynamodb.NewFromConfig(c), tables)}, access.Options{})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := i.Bootstrap(t.Context(), installation.BootstrapOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if s.token, err = i.FirstToken(t.Context(), b.Outputs, "admin", false); err != nil {
		t.Fatal(err)
	}
	s.made.APIURL = b.APIURL
	s.env = append(s.env, "ANCHOR_TOKEN="+s.token)
}

// killBootstrap runs bootstrap and kills it once it has made one more of the calls.
func (s *stand) killBootstrap(t *testing.T, call string) {
	t.Helper()
	before := len(s.proxy.logged(call))
	cmd := exec.CommandContext(t.Context(), "../bin/anchor", "aws", "bootstrap", "--arch", architecture())
	cmd.Env = slices.Clone(s.env)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "bootstrap calls "+call, func() bool { return len(s.proxy.logged(call)) > before })
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // it was killed
}

// setsUp sets settings of the project: one of a version, and those that apply at once.
func (a *standApp) setsUp(t *testing.T) {
	t.Helper()
	if _, errs, code := a.run(t, "projects", "set", "memory=64", "--project", "shop"); code == 0 || !strings.Contains(errs, "128 to 10240") {
		t.Errorf("memory=64 ends with %d: %s", code, errs)
	}
	var set struct{ Effective struct{ Memory int } }
	a.must(t, &set, "projects", "set", "memory=512", "reservedConcurrency=9", "logRetentionDays=30", "tags.Team=web", "--project", "shop")
	if set.Effective.Memory != 512 {
		t.Errorf("the settings are %+v", set)
	}
	eventually(t, "the concurrency is reserved", func() bool {
		return strings.Contains(a.cloud.CLI(t, "lambda", "get-function-concurrency", "--function-name", "anchor-shop-server"), "9")
	})
	if tags := a.cloud.CLI(t, "lambda", "get-function", "--function-name", "anchor-shop-server", "--query", "Tags"); !strings.Contains(tags, `"Team": "web"`) {
		t.Errorf("the function's tags are %s", tags)
	}
}

// hasOwnRole asserts that the functions run as the project's role, which has the boundary, and with its
// settings.
func (a *standApp) hasOwnRole(t *testing.T) {
	t.Helper()
	f := a.look(t).Functions["anchor-shop-server"]
	if strings.Contains(f.Role, "SiteRole") || f.Memory != 512 {
		t.Errorf("after the upgrade the function is %+v", f)
	}
	if got := a.cloud.CLI(t, "iam", "get-role", "--role-name", f.Role); !strings.Contains(got, "SiteBoundary") || !strings.Contains(got, ":role/anchor/anchor-") {
		t.Errorf("the role is %s", got)
	}
}

// visitors load a page in a loop.
type visitors struct {
	stop   chan struct{}
	done   sync.WaitGroup
	mu     sync.Mutex
	seen   int
	faults []string
}

// visit lets visitors load a page, which has one of the texts.
func (s *stand) visit(t *testing.T, url string, texts ...string) *visitors {
	t.Helper()
	v := &visitors{stop: make(chan struct{})}
	v.done.Go(func() {
		for {
			select {
			case <-v.stop:
				return
			default:
			}
			fault := s.load(url, texts)
			v.mu.Lock()
			v.seen++
			if fault != "" {
				v.faults = append(v.faults, fault)
			}
			v.mu.Unlock()
		}
	})
	return v
}

// load requests a page and returns what is wrong with it.
func (s *stand) load(url string, texts []string) string {
	res, err := s.client.Get(strings.Replace(url, "https://", "http://", 1))
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || !slices.Contains(texts, string(body)) {
		return fmt.Sprintf("%d %.200q %v", res.StatusCode, body, err)
	}
	return ""
}

// end asserts that no visitor met a fault.
func (v *visitors) end(t *testing.T) {
	t.Helper()
	close(v.stop)
	v.done.Wait()
	if v.seen < 20 || len(v.faults) > 0 {
		t.Errorf("of %d requests, %d failed: %.2000q", v.seen, len(v.faults), v.faults)
	}
	t.Logf("%d requests", v.seen)
}
