package drains

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/otlp"
	"github.com/anchor-deploy/anchor/internal/local/sqlite"
	"github.com/anchor-deploy/anchor/internal/project/secret"
	"github.com/anchor-deploy/anchor/internal/retry"
	"github.com/anchor-deploy/anchor/internal/testleak"
)

func TestMain(m *testing.M) { testleak.Main(m) }

const (
	shop = anchor.ProjectID("01jaaaaaaaaaaaaaaaaaaaaaaa")
	blog = anchor.ProjectID("01jbbbbbbbbbbbbbbbbbbbbbbb")
)

type stand struct {
	*Service
	store *sqlite.Store
	box   *secret.Box
	c     Config
}

func newStand(t *testing.T, c Config) *stand {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "anchor.db"))
	must(t, err)
	t.Cleanup(func() { must(t, store.Close()) })
	box, err := secret.New(make([]byte, 32))
	must(t, err)
	must(t, store.CreateProject(t.Context(), anchor.Project{ID: shop, Slug: "shop", ProductionBranch: "main"}))
	must(t, store.CreateProject(t.Context(), anchor.Project{ID: blog, Slug: "blog", ProductionBranch: "main"}))
	c.Records, c.Box, c.Log = store, box, slog.New(slog.DiscardHandler)
	if c.Gather == 0 {
		c.Gather = time.Millisecond
	}
	if c.Retries == (retry.Policy{}) {
		c.Retries = retry.Policy{First: time.Millisecond, Longest: time.Millisecond}
	}
	s := &stand{store: store, box: box, c: c}
	s.open(t)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func (s *stand) open(t *testing.T) {
	t.Helper()
	var err error
	s.Service, err = Open(t.Context(), s.c)
	must(t, err)
}

func (s *stand) add(t *testing.T, d anchor.Drain, target anchor.DrainTarget) anchor.Drain {
	t.Helper()
	d, err := s.Add(t.Context(), d, target)
	must(t, err)
	return d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func printed(text string) anchor.LogLine {
	return anchor.LogLine{
		Time: 1764300000123, DeploymentID: "01jccccccccccccccccccccccc", Function: "default", RequestID: "r1", Path: "/cart", Level: "error", Text: text,
		Fields: map[string]any{"order": 7.0},
	}
}

// receiver is an HTTP server that answers with the statuses given, then with 204.
type receiver struct {
	*httptest.Server
	got chan delivery

	mu       sync.Mutex
	statuses []int
}

type delivery struct {
	http.Header
	path string
	body []byte
}

func newReceiver(t *testing.T, statuses ...int) *receiver {
	r := &receiver{got: make(chan delivery, 100), statuses: statuses}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		z, err := gzip.NewReader(req.Body)
		if err != nil {
			t.Error(err)
			return
		}
		body, _ := io.ReadAll(z)
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.statuses) > 0 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(r.statuses[0])
			r.statuses = r.statuses[1:]
			return
		}
		r.got <- delivery{req.Header, req.URL.Path, body}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(r.Close)
	return r
}

// lines returns the JSON lines of the next n lines that arrive.
func (r *receiver) lines(t *testing.T, n int) (all []map[string]any) {
	t.Helper()
	for len(all) < n {
		d := <-r.got
		for text := range bytes.Lines(d.body) {
			var l map[string]any
			must(t, json.Unmarshal(text, &l))
			all = append(all, l)
		}
	}
	if len(all) != n {
		t.Fatalf("%d lines, want %d: %v", len(all), n, all)
	}
	return all
}

// await waits until the state of the only drain is as wanted.
func (s *stand) await(t *testing.T, what string, ok func(anchor.Drain) bool) anchor.Drain {
	t.Helper()
	var all []anchor.Drain
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		var err error
		all, err = s.List(t.Context())
		must(t, err)
		if len(all) == 1 && ok(all[0]) {
			return all[0]
		}
	}
	t.Fatalf("the drain is not %s: %+v", what, all)
	return anchor.Drain{}
}

func TestHTTP_GetsTheLinesOfItsProject(t *testing.T) {
	s, r := newStand(t, Config{}), newReceiver(t)
	d := s.add(t, anchor.Drain{Kind: "http", ProjectID: shop}, anchor.DrainTarget{URL: r.URL + "/in?key=hidden", Headers: map[string]string{"authorization": "Bearer hidden"}})
	s.Line(blog, printed("not this"))
	s.Line(shop, printed("no stock"))
	got := <-r.got
	if got.Get("Authorization") != "Bearer hidden" || got.Get("Content-Type") != "application/x-ndjson" || got.path != "/in" {
		t.Errorf("%s %v", got.path, got.Header)
	}
	var l struct {
		Source, Project string
		anchor.LogLine
	}
	must(t, json.Unmarshal(got.body, &l))
	if l.Source != "app" || l.Project != "shop" || l.Text != "no stock" || l.RequestID != "r1" || l.Fields["order"] != 7.0 {
		t.Errorf("%s", got.body)
	}
	s.await(t, "done", func(d anchor.Drain) bool { return d.Sent == 1 && d.WaitingBytes == 0 && d.LastAt > 0 })
	all, err := s.List(t.Context())
	must(t, err)
	if text := fmt.Sprintf("%+v", all); strings.Contains(text, "hidden") || !strings.Contains(text, d.Target) {
		t.Errorf("the list shows %s", text)
	}
}

func TestAccess_IsDividedByProject(t *testing.T) {
	var take func([]byte)
	s := newStand(t, Config{Access: func(f func([]byte)) { take = f }})
	if take != nil {
		t.Error("lines of the access log are taken although no drain wants them")
	}
	r := newReceiver(t)
	d := s.add(t, anchor.Drain{Kind: "http", ProjectID: shop, Sources: []string{"access"}}, anchor.DrainTarget{URL: r.URL})
	lines := []byte(`{"time":"2026-11-29T04:31:48.298342Z","project":"blog","path":"/b"}
{"time":"2026-11-29T04:31:48.298342Z","host":"a\",\"project\":\"shop\"","path":"/none"}
{"time":"2026-11-29T04:31:48.298342Z","project":"shop","method":"GET","path":"/cart","status":502}
`)
	take(lines)
	clear(lines) // the access log uses the buffer again
	s.Line(shop, printed("not wanted"))
	if l := r.lines(t, 1)[0]; l["source"] != "access" || l["path"] != "/cart" || l["status"] != 502.0 {
		t.Errorf("%v", l)
	}
	must(t, s.Remove(t.Context(), d.ID))
	if take != nil {
		t.Error("lines of the access log are taken after the drain was removed")
	}
}

func TestRetry_SendsAgainUntilTheTargetTakesIt(t *testing.T) {
	s, r := newStand(t, Config{}), newReceiver(t, 503, 429, 500)
	s.add(t, anchor.Drain{Kind: "http"}, anchor.DrainTarget{URL: r.URL})
	s.Line(shop, printed("once"))
	if l := r.lines(t, 1)[0]; l["text"] != "once" {
		t.Errorf("%v", l)
	}
	s.await(t, "well", func(d anchor.Drain) bool { return d.Sent == 1 && d.Dropped == 0 && d.LastError == "" })
}

func TestRefusal_DropsAndCounts(t *testing.T) {
	s, r := newStand(t, Config{}), newReceiver(t, 400)
	s.add(t, anchor.Drain{Kind: "http"}, anchor.DrainTarget{URL: r.URL})
	s.Line(shop, printed("bad"))
	s.await(t, "refused", func(d anchor.Drain) bool { return d.Dropped == 1 && strings.Contains(d.LastError, "400") })
	s.Line(shop, printed("good"))
	r.lines(t, 1)
	s.await(t, "well", func(d anchor.Drain) bool { return d.Sent == 1 && d.LastError == "" })
}

// TestBuffer_IsBounded has a target that does not answer while lines come.
func TestBuffer_IsBounded(t *testing.T) {
	const room, lines = 16 << 10, 1000
	s := newStand(t, Config{Buffer: room})
	hold, body := make(chan struct{}), make(chan string, 100)
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		z, _ := gzip.NewReader(req.Body)
		text, _ := io.ReadAll(z)
		<-hold
		body <- string(text)
	}))
	defer target.Close()
	s.add(t, anchor.Drain{Kind: "http"}, anchor.DrainTarget{URL: target.URL})
	for i := range lines {
		s.Line(shop, printed(fmt.Sprint("line ", i)))
	}
	d := s.await(t, "full", func(d anchor.Drain) bool { return d.Dropped > 0 })
	if d.WaitingBytes > room || d.Dropped < lines/2 {
		t.Errorf("%d bytes wait, %d lines dropped", d.WaitingBytes, d.Dropped)
	}
	close(hold)
	s.await(t, "empty", func(d anchor.Drain) bool { return d.WaitingBytes == 0 && d.Sent+d.Dropped == lines })
	s.Line(shop, printed("after"))
	s.await(t, "empty", func(d anchor.Drain) bool { return d.WaitingBytes == 0 && d.Sent+d.Dropped == lines+1 })
	close(body)
	var all strings.Builder
	for text := range body {
		all.WriteString(text)
	}
	told := int64(0)
	for _, m := range regexp.MustCompile(`(\d+) log lines were dropped`).FindAllStringSubmatch(all.String(), -1) {
		n, err := strconv.ParseInt(m[1], 10, 64)
		must(t, err)
		told += n
	}
	if told != d.Dropped {
		t.Errorf("the target learns that %d lines were dropped, not %d", told, d.Dropped)
	}
}

func TestDrains_SurviveARestart(t *testing.T) {
	s, r := newStand(t, Config{}), newReceiver(t)
	d := s.add(t, anchor.Drain{Kind: "http", ProjectID: blog}, anchor.DrainTarget{URL: r.URL})
	s.Line(blog, printed("before"))
	must(t, s.Close()) // sends what waits
	r.lines(t, 1)
	s.open(t)
	s.Line(blog, printed("after"))
	if l := r.lines(t, 1)[0]; l["text"] != "after" || l["project"] != "blog" {
		t.Errorf("%v", l)
	}
	s.Forget(blog)
	s.Line(blog, printed("gone"))
	s.Line(shop, printed("gone"))
	if all := *s.outlets.Load(); len(all) != 0 {
		t.Errorf("%d outlets are left", len(all))
	}
	must(t, s.Remove(t.Context(), d.ID))
	if err := s.Remove(t.Context(), d.ID); anchor.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
}

func TestLoki_GetsStreams(t *testing.T) {
	s, r := newStand(t, Config{Gather: 50 * time.Millisecond}), newReceiver(t)
	s.add(t, anchor.Drain{Kind: "loki"}, anchor.DrainTarget{URL: r.URL, Headers: map[string]string{"X-Scope-OrgID": "t"}})
	s.Line(shop, printed("a"))
	s.Line(shop, printed("b"))
	d := <-r.got
	var m struct {
		Streams []struct {
			Stream map[string]string
			Values [][]string
		}
	}
	must(t, json.Unmarshal(d.body, &m))
	if d.path != "/loki/api/v1/push" || d.Get("X-Scope-Orgid") != "t" || len(m.Streams) != 1 || len(m.Streams[0].Values) != 2 {
		t.Fatalf("%s %s", d.path, d.body)
	}
	labels, first := m.Streams[0].Stream, m.Streams[0].Values[0]
	if labels["project"] != "shop" || labels["level"] != "error" || labels["job"] != "anchor" || first[0] != "1764300000123000000" || !strings.Contains(first[1], `"text":"a"`) {
		t.Errorf("%s", d.body)
	}
}

func TestOTLP_GetsRecords(t *testing.T) {
	r := newReceiver(t)
	s := newStand(t, Config{Export: otlp.Client{URL: r.URL + "/v1/logs"}})
	s.Line(shop, printed("no stock"))
	d := <-r.got
	var m logspb.LogsData // has the fields of an ExportLogsServiceRequest
	must(t, proto.Unmarshal(d.body, &m))
	of := m.ResourceLogs[0]
	record := of.ScopeLogs[0].LogRecords[0]
	if d.path != "/v1/logs" || d.Get("Content-Type") != "application/x-protobuf" || of.Resource.Attributes[0].Value.GetStringValue() != "shop" {
		t.Errorf("%s %v %v", d.path, d.Header, of.Resource)
	}
	if record.Body.GetStringValue() != "no stock" || record.SeverityNumber != logspb.SeverityNumber_SEVERITY_NUMBER_ERROR || record.TimeUnixNano != 1764300000123000000 {
		t.Errorf("%v", record)
	}
	var names []string
	for _, a := range record.Attributes {
		names = append(names, a.Key)
	}
	if want := []string{"anchor.deployment", "anchor.function", "anchor.request_id", "anchor.source", "order", "url.path"}; !slices.Equal(names, want) {
		t.Errorf("attributes %v", names)
	}
	if all, err := s.List(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("the export is listed: %v, %v", all, err)
	}
}

func TestTest_SaysWhatIsWrong(t *testing.T) {
	s, r := newStand(t, Config{}), newReceiver(t, 403)
	d := s.add(t, anchor.Drain{Kind: "http"}, anchor.DrainTarget{URL: r.URL + "/?key=hidden"})
	err := s.Test(t.Context(), d.ID)
	if hint := anchor.HintOf(err); !strings.Contains(hint, "403") || strings.Contains(hint, "hidden") {
		t.Errorf("%v: %s", err, hint)
	}
	must(t, s.Test(t.Context(), d.ID))
	if l := r.lines(t, 1)[0]; l["source"] != "anchor" || l["text"] != "Anchor can reach this drain" {
		t.Errorf("%v", l)
	}
}

func TestAdd_RefusesWhatCannotWork(t *testing.T) {
	s := newStand(t, Config{})
	many := map[string]string{}
	for i := range 21 {
		many[fmt.Sprint("X-", i)] = "v"
	}
	for code, of := range map[string][]struct {
		kind, url string
		sources   []string
		headers   map[string]string
	}{
		"bad_drain_kind":   {{kind: "pigeon", url: "https://x.example"}},
		"bad_drain_source": {{kind: "http", url: "https://x.example", sources: []string{"noise"}}},
		"bad_drain_target": {{kind: "http", url: "x.example"}, {kind: "http", url: "ftp://x.example"}, {kind: "syslog", url: "https://x.example"}, {kind: "loki", url: "https://"}, {kind: "http", url: "http://[x"}},
		"bad_drain_header": {
			{kind: "syslog", url: "syslog+udp://x.example", headers: map[string]string{"A": "b"}}, {kind: "http", url: "https://x.example", headers: map[string]string{"A b": "c"}},
			{kind: "http", url: "https://x.example", headers: map[string]string{"A": "b\nc"}}, {kind: "http", url: "https://x.example", headers: map[string]string{"host": "y"}}, {kind: "http", url: "https://x.example", headers: many},
		},
	} {
		for _, c := range of {
			_, err := s.Add(t.Context(), anchor.Drain{Kind: c.kind, Sources: c.sources}, anchor.DrainTarget{URL: c.url, Headers: c.headers})
			if anchor.CodeOf(err) != code || anchor.HintOf(err) == "" {
				t.Errorf("%+v: %v, want %s", c, err, code)
			}
		}
	}
	if _, err := s.Add(t.Context(), anchor.Drain{Kind: "http", ProjectID: "none"}, anchor.DrainTarget{URL: "https://x.example"}); anchor.CodeOf(err) != "unknown_project" {
		t.Error(err)
	}
	if all, err := s.List(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("%v, %v: something was stored", all, err)
	}
}
