package lambda_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/lambda"
	"github.com/anchor-deploy/anchor/internal/aws/schedule"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
	"github.com/anchor-deploy/anchor/internal/project/secret"
	"github.com/anchor-deploy/anchor/internal/records/memory"
	"github.com/anchor-deploy/anchor/internal/release"
	"github.com/anchor-deploy/anchor/internal/testleak"
)

func TestMain(m *testing.M) { testleak.Main(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// stand is an installation with records and a platform in memory. It composes a handler for each
// event, as a cold process does.
type stand struct {
	t         *testing.T
	store     *memory.Store
	cloud     *cloud
	artifacts *artifacts
	builder   *builder
	leases    *leases
	box       *secret.Box
	token     string
	log       bytes.Buffer

	crons *cronRecords

	mu         sync.Mutex
	dispatched []anchor.DeploymentID
	handedOver []schedule.Event // to the crons handler
	undeliver  error            // what dispatching returns
}

func newStand(t *testing.T) *stand {
	t.Helper()
	bundles, err := artifact.Open(t.TempDir())
	must(t, err)
	t.Cleanup(func() { must(t, bundles.Close()) })
	box, err := secret.New(make([]byte, 32))
	must(t, err)
	s := &stand{
		t: t, store: memory.New(), cloud: &cloud{Memory: platformtest.NewMemory()}, artifacts: &artifacts{Store: bundles},
		builder: &builder{}, leases: &leases{held: map[anchor.ProjectID]bool{}}, box: box,
	}
	s.crons = newCronRecords(s.store)
	s.token, _, err = access.New(access.Ports{Tokens: s.store}, access.Options{}).Create(t.Context(), "test", anchor.ScopeAdmin)
	must(t, err)
	return s
}

func (s *stand) compose() *lambda.Handlers {
	return lambda.Compose(lambda.Parts{
		Installation: "anchor", Version: "v-test", Region: "eu-central-1",
		Store: s.store, Leases: s.leases, Box: s.box, Cloud: s.cloud, Artifacts: s.artifacts, Builder: s.builder, Logs: twoLines{},
		Dispatch: func(_ context.Context, _ anchor.ProjectID, d anchor.DeploymentID) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.undeliver == nil {
				s.dispatched = append(s.dispatched, d)
			}
			return s.undeliver
		},
		Crons: s.crons,
		DispatchCron: func(_ context.Context, e schedule.Event) error {
			s.handedOver = append(s.handedOver, e)
			return nil
		},
		Log: slog.New(slog.NewJSONHandler(logOf{s}, nil)),
	})
}

// logOf writes to the stand's log from several handlers at the same time.
type logOf struct{ *stand }

func (l logOf) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Write(line)
}

// event sends one event, as JSON, to the handler of that name.
func (s *stand) event(ctx context.Context, name string, e any) (any, error) {
	s.t.Helper()
	handler, err := s.compose().Named(name)
	must(s.t, err)
	raw, ok := e.(string)
	if !ok {
		encoded, err := json.Marshal(e)
		must(s.t, err)
		raw = string(encoded)
	}
	return handler(ctx, json.RawMessage(raw))
}

// call sends a request to a handler as API Gateway does, and decodes a successful answer.
func (s *stand) call(handler, method, path, body string, header map[string]string, into any) events.APIGatewayV2HTTPResponse {
	s.t.Helper()
	e := get(path)
	e.RequestContext.HTTP.Method = method
	e.Headers["authorization"] = "Bearer " + s.token
	if body != "" {
		e.Headers["content-type"] = "application/json"
	}
	for name, value := range header {
		e.Headers[name] = value
	}
	e.Body, e.IsBase64Encoded = awstest.GatewayBody(e.Headers["content-type"], []byte(body))
	out, err := s.event(s.t.Context(), handler, e)
	must(s.t, err)
	res := out.(events.APIGatewayV2HTTPResponse)
	if into != nil {
		if res.StatusCode >= 300 {
			s.t.Fatalf("%s %s is answered %d: %s", method, path, res.StatusCode, res.Body)
		}
		must(s.t, json.Unmarshal([]byte(res.Body), into))
	}
	return res
}

func (s *stand) newProject() wire.Project {
	s.t.Helper()
	var p wire.Project
	s.call("api", "POST", "/projects", `{"slug":"shop"}`, nil, &p)
	return p
}

// upload starts a deployment by the API and sends its files.
func (s *stand) upload() anchor.DeploymentID {
	s.t.Helper()
	dir := platformtest.NewApp("v1").Write(s.t)
	m, err := artifact.Scan(s.t.Context(), dir, nil)
	must(s.t, err)
	encoded, err := json.Marshal(wire.StartDeployment{Manifest: m, CommitSha: "c0ffee"})
	must(s.t, err)
	var started wire.StartedDeployment
	s.call("api", "POST", "/projects/shop/deployments", string(encoded), nil, &started)
	paths := map[artifact.Digest]string{}
	for _, f := range m.Files {
		paths[f.Digest] = f.Path
	}
	for _, digest := range started.Missing {
		content, err := os.ReadFile(filepath.Join(dir, paths[digest]))
		must(s.t, err)
		if len(content) == 0 {
			must(s.t, s.artifacts.Put(s.t.Context(), digest, 0, bytes.NewReader(nil)))
			continue
		}
		var got wire.Received
		s.call("api", "PUT", "/projects/shop/files/"+string(digest), string(content), map[string]string{"content-type": "application/octet-stream"}, &got)
	}
	return started.Deployment.ID
}

func (s *stand) wantStatus(id anchor.DeploymentID, want anchor.Status) anchor.Deployment {
	s.t.Helper()
	d, err := s.store.Deployment(s.t.Context(), id)
	must(s.t, err)
	if d.Status != want {
		s.t.Fatalf("deployment %s is %s (%s: %s), want %s", id, d.Status, d.ErrorStep, d.ErrorMessage, want)
	}
	return d
}

// wantLogged asserts that one line of the log has all of these members.
func (s *stand) wantLogged(members ...string) {
	s.t.Helper()
	for line := range strings.Lines(s.log.String()) {
		all := true
		for _, m := range members {
			all = all && strings.Contains(line, m)
		}
		if all {
			return
		}
	}
	s.t.Errorf("no line of the log has all of %q:\n%s", members, s.log.String())
}

type cloud struct {
	applied []anchor.ProjectID // by ApplySettings
	*platformtest.Memory
	reconciled, swept int
	seen              release.Observation
	sweepErr          error
	busy              int // calls of RemoveProject that must wait for AWS
	removed, settled  []anchor.ProjectID
	switched          []anchor.DeploymentID
	runtime           string
	asked             []string // by AskCron: the path and the secret
	status            int      // what AskCron returns
	warmErr           error
}

// AskCron implements CronPlatform.
func (c *cloud) AskCron(_ context.Context, _ anchor.Deployment, secret, path, _, _ string) (int, string, error) {
	c.asked = append(c.asked, path+" "+secret)
	return c.status, "", nil
}

// Warm implements CronPlatform.
func (c *cloud) Warm(_ context.Context, p anchor.ProjectID, instances map[string]int32) error {
	c.asked = append(c.asked, fmt.Sprint("warm ", p, " ", instances))
	return c.warmErr
}

// Runtime implements RuntimePlatform.
func (c *cloud) Runtime(context.Context, anchor.Project) (string, error) { return c.runtime, nil }

func (c *cloud) URLs(p anchor.Project, d anchor.DeploymentID) (site, deployment string) {
	return "https://" + p.Slug + ".cloudfront.example", "https://" + p.Slug + ".cloudfront.example/" + string(d)
}

func (c *cloud) Observe(context.Context, anchor.Live) (release.Observation, error) {
	return c.seen, nil
}

func (c *cloud) Reconcile(context.Context) error { c.reconciled++; return nil }
func (c *cloud) Sweep(context.Context) error     { c.swept++; return c.sweepErr }

func (c *cloud) Settle(_ context.Context, p anchor.ProjectID) error {
	c.settled = append(c.settled, p)
	return c.sweepErr
}

func (c *cloud) AfterSwitch(_ context.Context, live anchor.Live) error {
	c.switched = append(c.switched, live.Deployment)
	return nil
}

func (c *cloud) CheckManifest(anchor.Project, artifact.Manifest, map[string]string) error {
	return nil
}

func (c *cloud) RemoveProject(_ context.Context, p anchor.ProjectID) error {
	if c.busy > 0 {
		c.busy--
		return &anchor.Error{Kind: anchor.KindBusy, Code: "settling", Message: "the distribution is being stopped"}
	}
	c.removed = append(c.removed, p)
	return nil
}

// artifacts imports from a local folder.
type artifacts struct {
	*artifact.Store
	from     string // the tree that builds produce
	imported []string
	err      error

	mu        sync.Mutex
	discarded []anchor.DeploymentID
}

func (a *artifacts) Import(ctx context.Context, id anchor.DeploymentID, path string) (artifact.Manifest, error) {
	a.imported = append(a.imported, path)
	if a.err != nil {
		return artifact.Manifest{}, a.err
	}
	m, err := artifact.Scan(ctx, a.from, nil)
	if err != nil {
		return m, err
	}
	if err := a.SaveManifest(ctx, id, m); err != nil {
		return m, err
	}
	for _, f := range m.Files {
		content, err := os.ReadFile(filepath.Join(a.from, f.Path))
		if err == nil && f.Digest != "" {
			err = a.Put(ctx, f.Digest, f.Size, bytes.NewReader(content))
		}
		if err != nil {
			return m, err
		}
	}
	return m, nil
}

func (a *artifacts) Presign(context.Context, []artifact.File) ([]artifact.Upload, error) {
	return nil, anchor.Failed("no_presign", "this test's artifacts are on disk")
}

func (a *artifacts) Discard(_ context.Context, id anchor.DeploymentID) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.discarded = append(a.discarded, id)
	return nil
}

type build struct {
	deployment anchor.DeploymentID
	source     deploy.Source
	env        map[string]string
}

type builder struct {
	builds    []build
	refused   error // what Check returns
	canceled  []anchor.DeploymentID
	lines     []anchor.LogLine
	forgotten []anchor.DeploymentID
	err       error
}

func (b *builder) Build(_ context.Context, _ anchor.Project, d anchor.Deployment, s deploy.Source, env map[string]string) error {
	b.builds = append(b.builds, build{d.ID, s, env})
	return b.err
}

func (b *builder) Proves(p anchor.ProjectID, d anchor.DeploymentID, proof string) bool {
	return proof == "proof-of-"+string(d) && p != ""
}

func (b *builder) Check(deploy.Source) error { return b.refused }

func (b *builder) Cancel(_ context.Context, d anchor.DeploymentID) error {
	b.canceled = append(b.canceled, d)
	return b.err
}

func (b *builder) Lines(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID, _ bool) iter.Seq2[anchor.LogLine, error] {
	return b.LinesFrom(ctx, p, d, 0)
}

func (b *builder) LinesFrom(_ context.Context, _ anchor.ProjectID, _ anchor.DeploymentID, from int64) iter.Seq2[anchor.LogLine, error] {
	return func(yield func(anchor.LogLine, error) bool) {
		for _, line := range b.lines {
			if line.Time >= from && !yield(line, nil) {
				return
			}
		}
	}
}

func (b *builder) Repository(_ context.Context, d anchor.DeploymentID) (string, error) {
	for _, one := range b.builds {
		if one.deployment == d {
			return one.source.Repository, nil
		}
	}
	return "", anchor.NotFound("no_retry", "unknown")
}

func (b *builder) AccessHint() string { return "Give the builder access." }

func (b *builder) Forget(_ context.Context, d anchor.DeploymentID) error {
	b.forgotten = append(b.forgotten, d)
	return nil
}

type leases struct {
	mu    sync.Mutex
	held  map[anchor.ProjectID]bool
	tried chan struct{} // receives when a lease is refused, when not nil
}

func (l *leases) Lease(_ context.Context, p anchor.ProjectID, _ string, _ time.Duration) (renew, release func(context.Context) error, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[p] {
		if l.tried != nil {
			select {
			case l.tried <- struct{}{}:
			default:
			}
		}
		return nil, nil, anchor.Conflict("lease_held", "%s is in use", p)
	}
	l.held[p] = true
	free := func(context.Context) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.held, p)
		return nil
	}
	return func(context.Context) error { return nil }, free, nil
}

type twoLines struct{}

func (twoLines) Last(_ context.Context, _ anchor.ProjectID, _ anchor.LogFilter, limit int) iter.Seq2[anchor.LogLine, error] {
	return func(yield func(anchor.LogLine, error) bool) {
		for _, line := range []anchor.LogLine{{Time: 1, Function: "default", Level: "info", Text: "first"}, {Time: 2, Text: "last"}}[2-min(limit, 2):] {
			if !yield(line, nil) {
				return
			}
		}
	}
}

func (l twoLines) Follow(ctx context.Context, p anchor.ProjectID, f anchor.LogFilter) iter.Seq2[anchor.LogLine, error] {
	return l.Since(ctx, p, f, 0)
}

func (twoLines) Settled() int64 { return 3 }

func (twoLines) Since(context.Context, anchor.ProjectID, anchor.LogFilter, int64) iter.Seq2[anchor.LogLine, error] {
	return func(yield func(anchor.LogLine, error) bool) {
		_ = yield(anchor.LogLine{Time: 3, Text: "one"}, nil) && yield(anchor.LogLine{Time: 3, Text: "two"}, nil)
	}
}

// ApplySettings implements Platform.
func (c *cloud) ApplySettings(_ context.Context, p anchor.ProjectID, _ bool) error {
	c.applied = append(c.applied, p)
	return nil
}
