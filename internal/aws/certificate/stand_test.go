package certificate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudfrontkeyvaluestore"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/certificate"
	"github.com/anchor-deploy/anchor/internal/aws/front"
	"github.com/anchor-deploy/anchor/internal/domains"
	"github.com/anchor-deploy/anchor/internal/records/memory"
)

func TestMain(m *testing.M) { os.Exit(awstest.Sharing(m).Run()) }

// stand is an emulator with two projects, each with a distribution, the records and the DNS.
// Tests start and end processes that work on it.
type stand struct {
	t     *testing.T
	cloud *awstest.Cloud
	glass *glass
	acm   *acm.Client
	cf    *cloudfront.Client
	front *front.Front
	store *memory.Store
	zone  *zone
	shop  anchor.Project
	blog  anchor.Project
	clock time.Time
	plain *http.Client
}

var liveHosts = map[string]string{"default": "live.lambda-url.on.aws", "imageOptimizer": "image.lambda-url.on.aws"}

func newStand(t *testing.T) *stand {
	t.Helper()
	s := standOn(t, awstest.Shared(t))
	s.blog = s.project("blog")
	return s
}

// fresh returns another account of the same emulator, with one project. They share the wire, so
// they cannot be used concurrently.
func (s *stand) fresh(t *testing.T) *stand {
	t.Helper()
	cloud := *s.cloud
	cloud.Account = strconv.Itoa(100_000_000_000 + rand.IntN(800_000_000_000))
	cloud.Wire.Mend()
	return standOn(t, &cloud)
}

func standOn(t *testing.T, cloud *awstest.Cloud) *stand {
	t.Helper()
	s := &stand{t: t, cloud: cloud, store: memory.New(), zone: &zone{records: map[string]string{}}, clock: time.Now()}
	transport := &http.Transport{IdleConnTimeout: time.Second, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(cloud.Endpoint, "http://"))
	}}
	t.Cleanup(transport.CloseIdleConnections)
	s.plain = &http.Client{Transport: awstest.WholeBodies(transport)}
	s.glass = &glass{wire: cloud.Wire, zone: s.zone}
	s.acm = acm.NewFromConfig(s.aside(), func(o *acm.Options) { o.Region = certificate.Region })
	s.cf = cloudfront.NewFromConfig(s.aside())
	s.front = front.New(front.Config{
		CloudFront: s.cf, KeyValueStore: cloudfrontkeyvaluestore.NewFromConfig(s.aside()),
		Installation: "anchor", AssetsBucket: "assets", Region: awstest.Region,
		Secrets: func(anchor.Project) []string { return []string{"secret"} }, Log: quiet,
	})
	s.shop = s.project("shop")
	return s
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// aside returns a configuration whose calls the wire neither counts nor breaks.
func (s *stand) aside() sdk.Config {
	cfg := s.cloud.Config()
	cfg.HTTPClient = s.plain
	return cfg
}

func (s *stand) project(slug string) anchor.Project {
	s.t.Helper()
	p := anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: slug}
	s.ok(s.store.CreateProject(s.t.Context(), p))
	_, err := s.front.Ensure(s.t.Context(), p, liveHosts)
	s.ok(err)
	return p
}

func (s *stand) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("unexpected error: %v (hint %q)", err, anchor.HintOf(err))
	}
}

// process returns the adapter of a new process.
func (s *stand) process() *certificate.Domains {
	cfg := s.cloud.Config()
	cfg.HTTPClient = s.glass
	d := certificate.New(certificate.Config{
		ACM: acm.NewFromConfig(cfg), CloudFront: cloudfront.NewFromConfig(cfg), Installation: "anchor",
		Projects: s.store, Log: quiet,
		Distribution: func(ctx context.Context, p anchor.Project) (string, error) {
			site, err := s.front.Find(ctx, p)
			return site.Distribution, err
		},
	})
	d.Hurry()
	return d
}

func (s *stand) service(d *certificate.Domains) *domains.Service {
	return domains.New(
		domains.Ports{Records: s.store, Directory: s.store, Certificates: d, Front: d, Resolver: s.zone},
		domains.Options{Log: quiet, Now: func() time.Time { return s.clock }},
	)
}

// pass advances the clock by d, and reconciles once in a new process.
func (s *stand) pass(d time.Duration) {
	s.t.Helper()
	s.clock = s.clock.Add(d)
	s.service(s.process()).Reconcile(s.t.Context())
}

// add attaches a name and sets its records.
func (s *stand) add(p anchor.Project, r domains.Request) domains.View {
	s.t.Helper()
	v, err := s.service(s.process()).Add(s.t.Context(), p.ID, r)
	s.ok(err)
	s.zone.set(append(v.Records, v.Target...)...)
	return v
}

// active attaches a name and waits until it is served.
func (s *stand) active(p anchor.Project, name string) anchor.Hostname {
	s.t.Helper()
	s.add(p, domains.Request{Domain: name})
	s.pass(time.Minute)
	return s.must(name, anchor.HostActive)
}

func (s *stand) must(name string, status anchor.HostnameStatus) anchor.Hostname {
	s.t.Helper()
	h, err := s.store.HostnameByName(s.t.Context(), name)
	s.ok(err)
	if h.Status != status {
		s.t.Fatalf("%s is %s (%s), want %s", name, h.Status, h.Problem, status)
	}
	return h
}

// tenants returns everything that CloudFront serves, by domain.
func (s *stand) tenants() map[string]types.DistributionTenantSummary {
	s.t.Helper()
	out, err := s.cf.ListDistributionTenants(s.t.Context(), &cloudfront.ListDistributionTenantsInput{})
	s.ok(err)
	all := map[string]types.DistributionTenantSummary{}
	for _, t := range out.DistributionTenantList {
		all[sdk.ToString(t.Domains[0].Domain)] = t
	}
	return all
}

// certificates returns all certificates of ACM in us-east-1, by ARN.
func (s *stand) certificates() map[string]*acmtypes.CertificateDetail {
	s.t.Helper()
	out, err := s.acm.ListCertificates(s.t.Context(), &acm.ListCertificatesInput{})
	s.ok(err)
	all := map[string]*acmtypes.CertificateDetail{}
	for _, c := range out.CertificateSummaryList {
		detail, err := s.acm.DescribeCertificate(s.t.Context(), &acm.DescribeCertificateInput{CertificateArn: c.CertificateArn})
		s.ok(err)
		all[sdk.ToString(c.CertificateArn)] = detail.Certificate
	}
	return all
}

// distributions returns the multi-tenant ones.
func (s *stand) distributions() []types.DistributionSummary {
	s.t.Helper()
	out, err := s.cf.ListDistributionsByConnectionMode(s.t.Context(), &cloudfront.ListDistributionsByConnectionModeInput{ConnectionMode: types.ConnectionModeTenantOnly})
	s.ok(err)
	return out.DistributionList.Items
}

// wantServed fails the test unless each name has one tenant with its own certificate that covers
// it, and nothing else exists.
func (s *stand) wantServed(names ...string) {
	s.t.Helper()
	tenants, certificates := s.tenants(), s.certificates()
	if len(tenants) != len(names) || len(certificates) != len(names) {
		s.t.Errorf("there are %d tenants and %d certificates for %d names", len(tenants), len(certificates), len(names))
	}
	for _, name := range names {
		t, found := tenants[name]
		if !found || !sdk.ToBool(t.Enabled) || t.Customizations == nil {
			s.t.Errorf("%s is not served: %+v", name, t)
			continue
		}
		c := certificates[sdk.ToString(t.Customizations.Certificate.Arn)]
		if c == nil || !slices.Contains(c.SubjectAlternativeNames, name) {
			s.t.Errorf("%s is served with %+v", name, c)
		}
	}
}

// wantNothing fails the test when something is left after all domains were removed.
func (s *stand) wantNothing() {
	s.t.Helper()
	s.wantServed()
	for _, d := range s.distributions() {
		s.t.Errorf("the distribution %s is left: %s", *d.Id, *d.Comment)
	}
	groups, err := s.cf.ListConnectionGroups(s.t.Context(), &cloudfront.ListConnectionGroupsInput{})
	s.ok(err)
	functions, err := s.cf.ListFunctions(s.t.Context(), &cloudfront.ListFunctionsInput{})
	s.ok(err)
	if n := len(groups.ConnectionGroups); n != 0 {
		s.t.Errorf("%d connection groups are left", n)
	}
	for _, f := range functions.FunctionList.Items {
		if sdk.ToString(f.Name) == "anchor-domains" {
			s.t.Error("the function is left")
		}
	}
}

// sent is a request as it was sent.
type sent struct {
	operation, path, body string
}

// glass precedes the wire. It records what is sent, and makes ACM validate, which the emulator
// does not: a certificate is pending until its record is in the zone.
type glass struct {
	wire *awstest.Wire
	zone *zone

	mu    sync.Mutex
	sent  []sent
	hide  int                                 // how many more times the record to set is missing
	alter func(operation, body string) string // of answers
}

func (g *glass) Do(r *http.Request) (*http.Response, error) {
	operation := awsmiddleware.GetServiceID(r.Context()) + "." + awsmiddleware.GetOperationName(r.Context())
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	g.mu.Lock()
	g.sent = append(g.sent, sent{operation, r.URL.Path, string(body)})
	g.mu.Unlock()
	res, err := g.wire.Do(r)
	if err != nil || res.StatusCode >= 300 {
		return res, err
	}
	body, err = io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		return nil, err
	}
	text := string(body)
	if operation == "ACM.DescribeCertificate" {
		text = g.validated(text)
	}
	g.mu.Lock()
	if g.alter != nil {
		text = g.alter(operation, text)
	}
	g.mu.Unlock()
	res.Body, res.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	return res, nil
}

func (g *glass) validated(text string) string {
	var answer map[string]map[string]any
	if json.Unmarshal([]byte(text), &answer) != nil || answer["Certificate"]["Type"] != "AMAZON_ISSUED" {
		return text
	}
	c := answer["Certificate"]
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.hide > 0 {
		g.hide--
		c["Status"], c["DomainValidationOptions"] = "PENDING_VALIDATION", []any{}
	}
	for _, o := range c["DomainValidationOptions"].([]any) {
		option := o.(map[string]any)
		r := option["ResourceRecord"].(map[string]any)
		if g.zone.value(r["Name"].(string)+" CNAME") != strings.TrimSuffix(r["Value"].(string), ".") {
			c["Status"], option["ValidationStatus"] = "PENDING_VALIDATION", "PENDING_VALIDATION"
		}
	}
	changed, err := json.Marshal(answer)
	if err != nil {
		return text
	}
	return string(changed)
}

// seen returns what was sent since its last call.
func (g *glass) seen() []sent {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := g.sent
	g.sent = nil
	return all
}

// zone is the DNS.
type zone struct {
	mu      sync.Mutex
	records map[string]string
}

func (z *zone) set(records ...anchor.DNSRecord) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, r := range records {
		z.records[r.Name+" "+r.Type] = r.Value
	}
}

func (z *zone) value(key string) string {
	z.mu.Lock()
	defer z.mu.Unlock()
	name, kind, _ := strings.Cut(key, " ")
	return z.records[strings.TrimSuffix(name, ".")+" "+kind]
}

func (z *zone) Diagnose(_ context.Context, need domains.Need) (domains.Diagnosis, error) {
	d := domains.Diagnosis{OK: true}
	for _, r := range slices.Concat(need.Records, need.Target) {
		f := domains.Finding{Record: r, State: domains.FindingRight}
		if z.value(r.Name+" "+r.Type) != r.Value {
			f.State, d.OK = domains.FindingMissing, false
		}
		d.Checks = append(d.Checks, f)
	}
	return d, nil
}

func wantError(t *testing.T, err error, code string, parts ...string) {
	t.Helper()
	var known *anchor.Error
	if !errors.As(err, &known) || known.Code != code {
		t.Fatalf("it answers %v, want %s", err, code)
	}
	for _, part := range parts {
		if !strings.Contains(known.Message+" "+known.Hint, part) {
			t.Errorf("%q, %q does not say %q", known.Message, known.Hint, part)
		}
	}
}

func (s *stand) parameters(name string) string {
	s.t.Helper()
	out, err := s.cf.GetDistributionTenant(s.t.Context(), &cloudfront.GetDistributionTenantInput{Identifier: s.tenants()[name].Id})
	s.ok(err)
	var all []string
	for _, p := range out.DistributionTenant.Parameters {
		all = append(all, *p.Name+"="+*p.Value)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func hostnameRequest(name string) domains.Request { return domains.Request{Domain: name} }

// tags returns the tags of the hostname's certificate, except the one that names the hostname.
func (s *stand) tags(h anchor.Hostname) string {
	s.t.Helper()
	out, err := s.acm.ListTagsForCertificate(s.t.Context(), &acm.ListTagsForCertificateInput{CertificateArn: sdk.String(h.CertificateARN)})
	s.ok(err)
	var all []string
	for _, tag := range out.Tags {
		if *tag.Key == "Hostname" && *tag.Value == string(h.ID) {
			continue
		}
		all = append(all, *tag.Key+"="+*tag.Value)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}
