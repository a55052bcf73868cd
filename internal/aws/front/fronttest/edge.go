// Package fronttest replaces CloudFront's data plane in tests. It serves the distributions that
// an emulator stores, and runs their viewer-request functions in Node.js. It caches nothing.
package fronttest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudfrontkeyvaluestore"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
)

// Edge is an http.Handler that answers for all distributions of the emulator, by the request's
// host: a distribution's domain name or one of its aliases. Its own calls bypass the cloud's
// wire, which neither counts nor breaks them.
type Edge struct {
	endpoint   string
	cloudfront *cloudfront.Client
	stores     *cloudfrontkeyvaluestore.Client
	s3         *s3.Client
	transport  *http.Transport
	dir        string

	mu      sync.Mutex
	runners map[string]*runner
	held    map[string]map[string]string // ARN of a store -> its keys; nil: they are read for each request
}

// New returns an Edge, which works until the test ends.
func New(t testing.TB, cloud *awstest.Cloud) *Edge {
	t.Helper()
	address := strings.TrimPrefix(cloud.Endpoint, "http://")
	transport := &http.Transport{
		// The host names of function URLs and buckets cannot be resolved.
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", address)
		},
		MaxIdleConnsPerHost: 64, DisableCompression: true, IdleConnTimeout: time.Second,
	}
	cfg := cloud.Config()
	cfg.HTTPClient = &http.Client{Transport: awstest.WholeBodies(transport)}
	e := &Edge{
		endpoint:   cloud.Endpoint,
		cloudfront: cloudfront.NewFromConfig(cfg),
		stores:     cloudfrontkeyvaluestore.NewFromConfig(cfg),
		s3:         s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }),
		transport:  transport,
		dir:        t.TempDir(),
		runners:    map[string]*runner{},
	}
	t.Cleanup(e.close)
	return e
}

func (e *Edge) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.runners {
		r.stop()
	}
	e.transport.CloseIdleConnections()
}

// ServeHTTP implements http.Handler.
func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d, err := e.find(r.Context(), r.Host)
	if err != nil {
		// A distribution that does not exist or is disabled (Developer Guide, "HTTP 403").
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	if err := e.serve(w, r, d); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
	}
}

// find returns the distribution that answers for host.
func (e *Edge) find(ctx context.Context, host string) (*types.DistributionSummary, error) {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	pages := cloudfront.NewListDistributionsPaginator(e.cloudfront, &cloudfront.ListDistributionsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, d := range page.DistributionList.Items {
			if sdk.ToBool(d.Enabled) && answersFor(&d, host) {
				return &d, nil
			}
		}
	}
	return nil, fmt.Errorf("no enabled distribution has the name %s", host)
}

func answersFor(d *types.DistributionSummary, host string) bool {
	// A label before the domain replaces a wildcard alias, for which a test would need a
	// certificate.
	if domain := sdk.ToString(d.DomainName); strings.EqualFold(domain, host) || strings.HasSuffix(host, "."+domain) {
		return true
	}
	if d.Aliases == nil {
		return false
	}
	_, base, _ := strings.Cut(host, ".")
	for _, alias := range d.Aliases.Items {
		if strings.EqualFold(alias, host) || strings.EqualFold(alias, "*."+base) {
			return true
		}
	}
	return false
}

// behavior holds what this package uses of a cache behavior.
type behavior struct {
	origin   string
	function string // ARN of the viewer-request function, or ""
	methods  []types.Method
}

func (e *Edge) serve(w http.ResponseWriter, r *http.Request, d *types.DistributionSummary) error {
	b := choose(d, r.URL.Path)
	if !allows(b, r.Method) {
		w.WriteHeader(http.StatusForbidden)
		return nil
	}
	ev := newEvent(r, sdk.ToString(d.Id))
	m, change := ev.Request, (*originChange)(nil)
	if b.function != "" {
		o, err := e.apply(r.Context(), b.function, ev)
		if err != nil {
			return fmt.Errorf("the viewer-request function failed: %w", err)
		}
		m, change = message{}, o.Origin
		if err := json.Unmarshal(o.Result, &m); err != nil {
			return fmt.Errorf("the viewer-request function gave %s: %w", o.Result, err)
		}
		if m.StatusCode != 0 {
			m.write(w)
			return nil
		}
	}
	origin, err := originOf(d, b, change)
	if err != nil {
		return err
	}
	if origin.S3OriginConfig != nil {
		return e.file(w, r, origin, m)
	}
	return e.function(w, r, origin, m)
}

func choose(d *types.DistributionSummary, path string) behavior {
	if d.CacheBehaviors != nil {
		for _, b := range d.CacheBehaviors.Items {
			if matches(sdk.ToString(b.PathPattern), path) {
				return behavior{sdk.ToString(b.TargetOriginId), onRequest(b.FunctionAssociations), b.AllowedMethods.Items}
			}
		}
	}
	b := d.DefaultCacheBehavior
	return behavior{sdk.ToString(b.TargetOriginId), onRequest(b.FunctionAssociations), b.AllowedMethods.Items}
}

func onRequest(all *types.FunctionAssociations) string {
	if all == nil {
		return ""
	}
	for _, a := range all.Items {
		if a.EventType == types.EventTypeViewerRequest {
			return sdk.ToString(a.FunctionARN)
		}
	}
	return ""
}

func allows(b behavior, method string) bool {
	for _, m := range b.methods {
		if string(m) == method {
			return true
		}
	}
	return false
}

// matches reports whether a path matches a pattern, in which "*" matches any text and "?" one
// character.
func matches(pattern, path string) bool {
	if !strings.HasPrefix(pattern, "/") && !strings.HasPrefix(pattern, "*") {
		pattern = "/" + pattern
	}
	var match func(p, s string) bool
	match = func(p, s string) bool {
		switch {
		case p == "":
			return s == ""
		case p[0] == '*':
			return match(p[1:], s) || s != "" && match(p, s[1:])
		default:
			return s != "" && (p[0] == '?' || p[0] == s[0]) && match(p[1:], s[1:])
		}
	}
	return match(pattern, path)
}

// apply runs the live stage of a function on an event, with the present content of its store.
func (e *Edge) apply(ctx context.Context, arn string, ev event) (outcome, error) {
	run, err := e.runner(ctx, arn[strings.LastIndexByte(arn, '/')+1:])
	if err != nil {
		return outcome{}, err
	}
	store := map[string]string{}
	if run.store != "" {
		if store, err = e.keys(ctx, run.store); err != nil {
			return outcome{}, err
		}
	}
	return run.run(ev, store)
}

// Hold makes the edge one that news have not reached: from its next request for a site on, it
// serves by the keys that it reads then, until release is called.
func (e *Edge) Hold() (release func()) {
	hold := func(held map[string]map[string]string) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.held = held
	}
	hold(map[string]map[string]string{})
	return func() { hold(nil) }
}

// keys returns the keys of a store as this edge knows them.
func (e *Edge) keys(ctx context.Context, arn string) (map[string]string, error) {
	e.mu.Lock()
	held := e.held
	store, known := held[arn]
	e.mu.Unlock()
	if known {
		return store, nil
	}
	store, err := e.readKeys(ctx, arn)
	if err == nil && held != nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		held[arn] = store
	}
	return store, err
}

func (e *Edge) readKeys(ctx context.Context, arn string) (map[string]string, error) {
	store := map[string]string{}
	pages := cloudfrontkeyvaluestore.NewListKeysPaginator(e.stores, &cloudfrontkeyvaluestore.ListKeysInput{
		KvsARN: sdk.String(arn), MaxResults: sdk.Int32(50),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			store[sdk.ToString(item.Key)] = sdk.ToString(item.Value)
		}
	}
	return store, nil
}

// runner returns the process of the published version of a function.
func (e *Edge) runner(ctx context.Context, name string) (*runner, error) {
	code, err := e.cloudfront.GetFunction(ctx, &cloudfront.GetFunctionInput{Name: sdk.String(name), Stage: types.FunctionStageLive})
	if err != nil {
		return nil, err
	}
	key := name + " " + sdk.ToString(code.ETag)
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.runners[key]; r != nil {
		return r, nil
	}
	about, err := e.cloudfront.DescribeFunction(ctx, &cloudfront.DescribeFunctionInput{Name: sdk.String(name), Stage: types.FunctionStageLive})
	if err != nil {
		return nil, err
	}
	r, err := startRunner(e.dir, code.FunctionCode)
	if err != nil {
		return nil, err
	}
	if a := about.FunctionSummary.FunctionConfig.KeyValueStoreAssociations; a != nil && len(a.Items) > 0 {
		r.store = sdk.ToString(a.Items[0].KeyValueStoreARN)
	}
	e.runners[key] = r
	return r, nil
}

// Invalidations returns the invalidated paths of a distribution, oldest first.
func (e *Edge) Invalidations(ctx context.Context, distribution string) ([]string, error) {
	var paths []string
	pages := cloudfront.NewListInvalidationsPaginator(e.cloudfront, &cloudfront.ListInvalidationsInput{DistributionId: sdk.String(distribution)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, i := range page.InvalidationList.Items {
			one, err := e.cloudfront.GetInvalidation(ctx, &cloudfront.GetInvalidationInput{DistributionId: sdk.String(distribution), Id: i.Id})
			if err != nil {
				return nil, err
			}
			paths = append(paths, one.Invalidation.InvalidationBatch.Paths.Items...)
		}
	}
	return paths, nil
}
