package edge

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	oteltrace "go.opentelemetry.io/otel/trace"
	"golang.org/x/net/http2"

	"github.com/anchor-deploy/anchor/internal/local/edge/accesslog"
	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
	"github.com/anchor-deploy/anchor/internal/local/edge/meter"
)

// logged lets the edges write access logs, and returns functions that end them and return their lines.
func logged(t testing.TB, edges ...*secured) (lines []func() []string) {
	t.Helper()
	for _, e := range edges {
		var out bytes.Buffer
		log, err := accesslog.Open(accesslog.Config{Output: &out, Buffer: 16 << 20, Report: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { log.Close() })
		e.cfg.AccessLog = log
		lines = append(lines, func() []string {
			log.Close()
			return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		})
	}
	return lines
}

const (
	ourTrace  = "0af7651916cd43dd8448eb211c80319c"
	ourParent = "00-" + ourTrace + "-b7ad6b7169203331-01"
)

// comparable returns a line of the access log without what differs from one request to the next.
func comparable(t testing.TB, line string) string {
	t.Helper()
	var entry map[string]any
	if err := json.Unmarshal([]byte(line), &entry); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if at, err := time.Parse(time.RFC3339Nano, entry["time"].(string)); err != nil || time.Since(at).Abs() > time.Hour {
		t.Errorf("%s: %v", line, err)
	}
	delete(entry, "time")
	delete(entry, "seconds")
	for _, id := range []string{"requestId", "traceId"} {
		if made, _ := entry[id].(string); len(made) == 32 && made != ourTrace {
			entry[id] = "made"
		}
	}
	return fmt.Sprint(entry)
}

// counted returns the samples of an edge without durations.
func counted(e *Edge) (all []string) {
	m := e.Measure()
	slices.SortFunc(m.Sites, func(a, b SiteMeasures) int { return cmp.Compare(a.Deployment, b.Deployment) })
	add := func(site string, samples []meter.Sample) {
		for _, s := range samples {
			all = append(all, fmt.Sprintf("%s %q %s %dxx: %d, %d octets", site, s.Function, s.Outcome, s.Class, s.Durations.Total(), s.Octets))
		}
	}
	for _, s := range m.Sites {
		add(s.Deployment, s.Samples)
	}
	add("none", m.Elsewhere)
	return append(all, fmt.Sprint(m.Refusals, m.FullHandshakes, m.FailedHandshakes, m.InFlight))
}

// TestMeasure_CountsAlike sends the same octets to an edge that answers hits inside Read, and to one that
// passes everything to net/http.
func TestMeasure_CountsAlike(t *testing.T) {
	hits, plain := twins(t)
	lines := logged(t, hits, plain)
	more := map[string][]string{
		"trace":      {hitRequest("traceparent: " + ourParent)},
		"bad trace":  {hitRequest("traceparent: 01") + hitRequest("traceparent: "+ourParent, "Traceparent: "+ourParent)},
		"ids":        {hitRequest("X-Request-Id: mine", "Accept: a", "Accept: b") + hitRequest("X-Request-Id: a", "X-Request-Id: b")},
		"empty":      {hitRequest("User-Agent:", "User-Agent: a", "Referer:", "Referer: b") + hitRequest("Traceparent:", "Traceparent: "+ourParent)},
		"agents":     {hitRequest(`User-Agent: a"b\c`, "User-Agent: d", "Referer: http://u:p@a.test/x?token=1")},
		"forwarded":  {hitRequest("X-Forwarded-For: 1.2.3.4", "X-Real-Ip: 5.6.7.8")},
		"traced app": {strings.Replace(hitRequest("traceparent: "+ourParent), "/small.txt", "/page", 1)},
	}
	maps.Copy(more, exchanges)
	for _, name := range slices.Sorted(maps.Keys(more)) {
		for _, secure := range []bool{false, true} {
			hits.exchange(t, more[name], secure)
			plain.exchange(t, more[name], secure)
			if got, want := counted(hits.Edge), counted(plain.Edge); !slices.Equal(got, want) {
				t.Fatalf("after %s, TLS %t:\n%s\nwant\n%s", name, secure, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	}
	wantSameLines(t, lines[0](), lines[1]())
	if n := hits.Measure().Sites[0].Samples[0]; n.Outcome != meter.Static || n.Durations.Total() < 100 || n.Durations.Sum == 0 {
		t.Errorf("%+v", n)
	}
}

func wantSameLines(t *testing.T, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d lines, net/http has %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if ours, theirs := comparable(t, got[i]), comparable(t, want[i]); ours != theirs {
			t.Errorf("line\n%s\nnet/http's\n%s", ours, theirs)
		}
	}
}

func TestMeasure_CountsStoredPagesAlike(t *testing.T) {
	p := storedPages(t, Sharing{})
	lines := logged(t, p.hits, p.plain)
	for _, request := range slices.Sorted(maps.Keys(pageRequests)) {
		for range 2 {
			p.ask(t, request, false)
		}
	}
	if got, want := counted(p.hits.Edge), counted(p.plain.Edge); !slices.Equal(got, want) {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	wantSameLines(t, lines[0](), lines[1]())
	seen := map[meter.Outcome]bool{}
	for _, s := range p.hits.Measure().Sites[0].Samples {
		seen[s.Outcome] = true
	}
	for _, o := range []meter.Outcome{meter.Hit, meter.Miss, meter.Dynamic} {
		if !seen[o] {
			t.Errorf("no %s among %v", o, seen)
		}
	}
}

func TestHit_AllocatesNothingWithALog(t *testing.T) {
	c, _ := scripted(t, func(p []byte) (int, error) { return len(p), nil })
	c.hits.remote = "203.0.113.7"
	log, err := accesslog.Open(accesslog.Config{Output: io.Discard, Buffer: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	c.hits.edge.cfg.AccessLog = log
	buffer := make([]byte, 4096)
	allocations := testing.AllocsPerRun(1000, func() {
		copy(buffer, plainHit)
		if rest, err := c.answerHits(buffer[:len(plainHit)]); rest != 0 || err != nil {
			t.Fatal(rest, err)
		}
	})
	if allocations > 1 { // the buffer of lines grows
		t.Errorf("%v allocations", allocations)
	}
}

// TestMeasure_BoundedLabels: what visitors choose does not become a label, and a site that left the
// table is not reported.
func TestMeasure_BoundedLabels(t *testing.T) {
	e := New(Config{})
	site := &Site{ID: "a", Slug: "shop", Default: says("page")}
	e.Publish(NewTable(map[string]*Site{"a.test": site}))
	for n := range 10000 {
		r := httptest.NewRequest("GET", fmt.Sprintf("http://a.test/%d?%d", n, n), nil)
		e.ServeHTTP(httptest.NewRecorder(), r)
		r = httptest.NewRequest("PURGE", fmt.Sprintf("http://%d.unknown.test/", n), nil)
		e.ServeHTTP(httptest.NewRecorder(), r)
	}
	m := e.Measure()
	if len(m.Sites) != 1 || len(m.Sites[0].Samples) != 1 || len(m.Elsewhere) != 1 {
		t.Fatalf("%+v", m)
	}
	if n := m.Sites[0].Samples[0].Durations.Total(); n != 10000 || m.Refusals["unknown_host"] != 10000 {
		t.Errorf("%d %v", n, m.Refusals)
	}
	e.Publish(NewTable(nil))
	if m := e.Measure(); len(m.Sites) != 0 {
		t.Errorf("%+v", m.Sites)
	}
}

// named is a function with a name.
type named struct{ http.HandlerFunc }

func (named) FunctionName() string { return "api" }

func TestMeasure_NamesFunctions(t *testing.T) {
	e := New(Config{})
	fails := named{func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }}
	e.Publish(NewTable(map[string]*Site{"a.test": {ID: "a", Routes: []Route{{Pattern: "api/*", Target: fails}}}}))
	for _, path := range []string{"/api/x", "/none"} {
		e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "http://a.test"+path, nil))
	}
	samples := e.Measure().Sites[0].Samples
	if len(samples) != 2 || samples[1].Function != "api" || samples[1].Class != 5 || samples[1].Outcome != meter.Dynamic ||
		samples[0].Function != "" || samples[0].Outcome != meter.Edge {
		t.Errorf("%+v", samples)
	}
}

// TestRefusalReasons_AreListed: a reason that is not in the list would be counted as another.
func TestRefusalReasons_AreListed(t *testing.T) {
	for no, reason := range reasonOf {
		if !slices.Contains(refusalReasons[:], reason) {
			t.Errorf("%q of %q is not listed", reason, no.title)
		}
	}
}

func TestOutcomeOf_CacheStatus(t *testing.T) {
	for want, all := range map[meter.Outcome][]cache.Status{
		meter.Hit:   {{Hit: true, TTL: time.Minute, HasTTL: true}},
		meter.Stale: {{Hit: true, TTL: -time.Minute, HasTTL: true}, {Forward: cache.ForwardStale, TTL: -time.Minute, HasTTL: true}},
		meter.Miss: {{Forward: cache.ForwardMiss, Stored: true}, {Forward: cache.ForwardMiss, Collapsed: true, TTL: 1, HasTTL: true},
			{Forward: cache.ForwardStale, TTL: time.Minute, HasTTL: true}},
		meter.Dynamic: {{}, {Forward: cache.ForwardMiss}, {Forward: cache.ForwardBypass, Detail: "middleware"}, {Forward: cache.ForwardMiss, Detail: "private"}},
	} {
		for _, status := range all {
			if got := outcomeOf(status.String()); got != want {
				t.Errorf("%s is %s, want %s", status, got, want)
			}
		}
	}
}

func TestTrace_PassedOnOrMade(t *testing.T) {
	var seen http.Header
	e := New(Config{})
	app := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header })
	e.Publish(NewTable(map[string]*Site{"a.test": {Default: app}}))
	ask := func(h http.Header) {
		r := httptest.NewRequest("GET", "http://a.test/", nil)
		maps.Copy(r.Header, h)
		e.ServeHTTP(httptest.NewRecorder(), r)
	}
	ask(http.Header{"Traceparent": {ourParent}, "Tracestate": {"a=1"}})
	if seen.Get("Traceparent") != ourParent || seen.Get("Tracestate") != "a=1" {
		t.Errorf("%v", seen)
	}
	for _, bad := range [][]string{
		nil, {""}, {ourParent, ourParent}, {strings.ToUpper(ourParent)}, {"ff" + ourParent[2:]}, {ourParent + "-x"}, {ourParent[:54]},
		{"00-" + strings.Repeat("0", 32) + ourParent[35:]}, {ourParent[:36] + strings.Repeat("0", 16) + "-01"}, {"01" + ourParent[2:] + "x"},
	} {
		ask(http.Header{"Traceparent": bad, "Tracestate": {"a=1"}})
		made := seen["Traceparent"]
		if traceID(made) == "" || !strings.HasSuffix(made[0], "-00") || seen["Tracestate"] != nil || traceID(made) == ourTrace {
			t.Errorf("%q becomes %q", bad, made)
		}
	}
	ask(http.Header{"Traceparent": {"01" + ourParent[2:] + "-more"}})
	if seen.Get("Traceparent") != "01"+ourParent[2:]+"-more" {
		t.Errorf("a later version becomes %v", seen)
	}
}

// TestTrace_SpanOfTheEdge: what the app does belongs below the edge's span, and only a trusted proxy decides what is sampled.
func TestTrace_SpanOfTheEdge(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	record := func(sampler sdktrace.Sampler) oteltrace.Tracer {
		spans.Reset()
		return sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans), sdktrace.WithSampler(sampler)).Tracer("edge")
	}
	var seen http.Header
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { seen = r.Header; w.WriteHeader(http.StatusBadGateway) })
	ask := func(c Config, h http.Header) {
		e := New(c)
		e.Publish(NewTable(map[string]*Site{"a.test": {Slug: "shop", ID: "d1", Default: app}}))
		r := httptest.NewRequest("GET", "http://a.test/cart?secret=1", nil)
		r.URL.Scheme, r.URL.Host = "", "" // as a request of a browser has them
		maps.Copy(r.Header, h)
		e.ServeHTTP(httptest.NewRecorder(), r)
	}
	ask(Config{Tracer: record(sdktrace.AlwaysSample())}, http.Header{"Traceparent": {ourParent}, "Tracestate": {"a=1"}})
	all := spans.GetSpans()
	if len(all) != 1 {
		t.Fatalf("%d spans", len(all))
	}
	s := all[0]
	if got := seen.Get("Traceparent"); traceID(seen["Traceparent"]) != ourTrace || !strings.Contains(got, s.SpanContext.SpanID().String()) || !strings.HasSuffix(got, "01") || seen.Get("Tracestate") != "a=1" {
		t.Errorf("the app gets %v for %s", seen, s.SpanContext.SpanID())
	}
	if s.Parent.SpanID().String() != ourParent[36:52] || s.Status.Code != codes.Error || s.SpanKind != oteltrace.SpanKindServer || !s.EndTime.After(s.StartTime) {
		t.Errorf("%+v", s)
	}
	text := fmt.Sprint(s.Attributes)
	for _, part := range []string{"/cart", "shop", "d1", "502"} {
		if !strings.Contains(text, part) {
			t.Errorf("%s is not among %s", part, text)
		}
	}
	if strings.Contains(text, "secret") {
		t.Errorf("the query is in %s", text)
	}
	// httptest's requests come from 192.0.2.1.
	never := sdktrace.ParentBased(sdktrace.NeverSample())
	ask(Config{Tracer: record(never)}, http.Header{"Traceparent": {ourParent}})
	if n := len(spans.GetSpans()); n != 0 || !strings.HasSuffix(seen.Get("Traceparent"), "-00") {
		t.Errorf("a visitor has %d spans recorded, and the app gets %v", n, seen)
	}
	proxied := http.Header{"Traceparent": {ourParent}, "X-Forwarded-Proto": {"https"}}
	ask(Config{Tracer: record(never), TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}}, proxied)
	if all := spans.GetSpans(); len(all) != 1 || !slices.Contains(all[0].Attributes, attribute.String("url.scheme", "https")) {
		t.Errorf("a trusted proxy has the spans %+v recorded", all)
	}
	ask(Config{Tracer: record(sdktrace.AlwaysSample())}, proxied)
	if all := spans.GetSpans(); len(all) != 1 || !slices.Contains(all[0].Attributes, attribute.String("url.scheme", "http")) {
		t.Errorf("a visitor who claims to use HTTPS has the spans %+v", all)
	}
}

func TestServerTiming_OfFunctionsOnly(t *testing.T) {
	for _, on := range []bool{false, true} {
		e := New(Config{ServerTiming: on})
		site := &Site{Assets: assets(t, "", map[string]string{"small.txt": "hello"}), Default: named{says("page").ServeHTTP}}
		e.Publish(NewTable(map[string]*Site{"a.test": site}))
		for path, want := range map[string]bool{"/small.txt": false, "/page": on} {
			w := httptest.NewRecorder()
			e.ServeHTTP(w, httptest.NewRequest("GET", "http://a.test"+path, nil))
			field := w.Header().Get("Server-Timing")
			if has := strings.Contains(field, `anchor;dur=`) && strings.Contains(field, `function;desc="api";dur=`); has != want {
				t.Errorf("%t %s: %q", on, path, field)
			}
		}
	}
}

func TestVisitorOf_TrustedProxies(t *testing.T) {
	e := New(Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	for _, c := range []struct{ peer, real, forwarded, want string }{
		{"1.1.1.1", "2.2.2.2", "3.3.3.3", "1.1.1.1"}, {"10.0.0.1", "2.2.2.2", "3.3.3.3", "2.2.2.2"}, {"10.0.0.1", "", "9.9.9.9, 3.3.3.3, 10.0.0.2", "3.3.3.3"},
		{"10.0.0.1", "x", "3.3.3.3, \"", "10.0.0.1"}, {"10.0.0.1", "", "", "10.0.0.1"}, {"10.0.0.1", "", "10.0.0.3,10.0.0.2", "10.0.0.3"},
	} {
		if got := e.visitorOf(c.peer, c.real, c.forwarded); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// TestMeasure_ByProtocolAndEnd: HTTP/2 is counted and logged as HTTP/1.1; a HEAD has no octets; an
// answer that breaks off is whole for nobody; a client that leaves has a status of its own.
func TestMeasure_ByProtocolAndEnd(t *testing.T) {
	s := startTLS(t, Config{}, "a.test")
	lines := logged(t, s)
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/cut":
			io.WriteString(w, "half")
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case "/left":
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, "whole")
	})
	s.Publish(NewTable(map[string]*Site{"a.test": {ID: "a", Slug: "shop", Assets: assets(t, "", map[string]string{"small.txt": "hello"}), Default: app}}))
	s.exchange(t, []string{get("/page") + "HEAD" + plainHit[3:] + get("/cut")}, false)
	s.exchange(t, []string{get("/left")}, false)
	_, framer := s.frames(t)
	framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headBlock("GET", "/small.txt"), EndHeaders: true, EndStream: true})
	for ended := false; !ended; {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		ended = frame.Header().StreamID == 1 && frame.Header().Flags.Has(http2.FlagDataEndStream)
	}
	if err := s.Shutdown(t.Context()); err != nil { // waits for the handler of the last one
		t.Fatal(err)
	}
	var got []string
	for _, line := range lines[0]() {
		var e struct {
			Path, Method, Protocol, Cache, Project string
			Status, Octets                         int
			Cut                                    bool
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintln(e.Method, e.Path, e.Protocol, e.Cache, e.Project, e.Status, e.Octets, e.Cut))
	}
	want := []string{
		"GET /page HTTP/1.1 dynamic shop 200 5 false\n", "HEAD /small.txt HTTP/1.1 static shop 200 0 false\n",
		"GET /cut HTTP/1.1 dynamic shop 200 4 true\n", "GET /left HTTP/1.1 dynamic shop 499 0 true\n", "GET /small.txt HTTP/2.0 static shop 200 5 false\n",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}
