package server_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/server"
)

// fetch sends a GET on a connection of its own.
func fetch(t *testing.T, url, host, token string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Cookie", "session=secret")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func TestRun_MetricsAndAccessLog(t *testing.T) {
	c := config(t, t.TempDir())
	c.AccessLog = server.AccessLog{Path: filepath.Join(t.TempDir(), "access.log")}
	r, down := up(t, c)
	_, port, _ := strings.Cut(strings.TrimPrefix(r.SiteURL, "http://"), ":")
	if status, _ := fetch(t, "http://127.0.0.1:"+port+"/a?password=1", "none.localhost", "secret"); status != http.StatusNotFound {
		t.Errorf("an unknown host answers %d", status)
	}
	if status, _ := fetch(t, r.APIURL+"/metrics", "", ""); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", status)
	}
	status, text := fetch(t, r.APIURL+"/metrics", "", readToken(t, r))
	if status != http.StatusOK {
		t.Fatal(status, text)
	}
	for _, line := range []string{
		`anchor_http_requests_total{cache="edge",code="4xx",deployment="",function="",project=""} 1`, `anchor_http_refusals_total{reason="unknown_host"} 1`,
		"anchor_projects 0", "anchor_data_free_bytes ", "anchor_page_cache_capacity_bytes 1.34217728e+08", "anchor_connections_accepted_total 1",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("without %s", line)
		}
	}
	down()
	data, err := os.ReadFile(c.AccessLog.Path)
	if err != nil {
		t.Fatal(err)
	}
	var line map[string]any
	if err := json.Unmarshal(data, &line); err != nil || line["path"] != "/a" || line["query"] != true || line["status"] != 404.0 {
		t.Errorf("%s %v", data, err)
	}
	if text := string(data); strings.Contains(text, "secret") || strings.Contains(text, "password") {
		t.Errorf("the access log has secrets: %s", text)
	}
}

func TestRun_ExportsMetricsByOTLP(t *testing.T) {
	got := make(chan []byte, 10)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		z, err := gzip.NewReader(r.Body)
		if err != nil || r.URL.Path != "/v1/metrics" || r.Header.Get("X-Key") != "k" {
			t.Errorf("%s %v %v", r.URL, r.Header, err)
			return
		}
		body, _ := io.ReadAll(z)
		got <- body
	}))
	defer collector.Close()
	c := config(t, t.TempDir())
	c.OTLP = server.OTLP{Endpoint: collector.URL, Header: http.Header{"X-Key": {"k"}}}
	_, down := up(t, c)
	down() // sends them once more
	var m metricspb.MetricsData
	if err := proto.Unmarshal(<-got, &m); err != nil {
		t.Fatal(err)
	}
	names := fmt.Sprint(m.ResourceMetrics[0].ScopeMetrics[0].Metrics)
	for _, name := range []string{"anchor_projects", "anchor_http_in_flight", "go_goroutines"} {
		if !strings.Contains(names, name) {
			t.Errorf("%s is not exported", name)
		}
	}
	if !strings.Contains(fmt.Sprint(m.ResourceMetrics[0].Resource), "service.name") {
		t.Errorf("the resource is %v", m.ResourceMetrics[0].Resource)
	}
}

func TestRun_RefusesABadCollector(t *testing.T) {
	c := config(t, t.TempDir())
	c.OTLP.Endpoint = "collector:4318"
	wantRefused(t, c, anchor.KindInvalid, "bad_otlp")
}

func TestRun_AccessLogThatCannotBeWritten(t *testing.T) {
	c := config(t, t.TempDir())
	c.AccessLog.Path = filepath.Join(t.TempDir(), "none", "access.log")
	wantRefused(t, c, anchor.KindInvalid, "bad_access_log")
}
