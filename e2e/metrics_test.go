package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMetrics has a visitor ask two deployments, and compares what the visitor did with anchor stats, with
// /metrics and with the access log.
func TestMetrics(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "access.log")
	a := up(t, "--access-log", log)
	if code, err := a.call("POST", "/projects", map[string]string{"slug": "shop"}, nil); code != 201 || err != nil {
		t.Fatal(code, err)
	}
	first := a.deploy(variant(t, 1), "shop")
	for range 3 {
		a.site(t, "shop").get("/dynamic").want(t, 200)
	}
	second := a.deploy(variant(t, 2), "shop")
	for range 5 {
		a.site(t, "shop").get("/dynamic", "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").want(t, 200)
	}
	wantStats(t, a, map[string]int{first.DeploymentID: 3, second.DeploymentID: 5}, second.DeploymentID)
	metrics := a.metrics(t)
	for _, series := range []string{
		`code="2xx",deployment="` + second.DeploymentID + `",function="default",project="shop"} 5`,
		`anchor_worker_starts_total{deployment="` + first.DeploymentID + `",function="default",project="shop"} `,
		`anchor_deployments{status="deployed"} 2`,
	} {
		if !strings.Contains(metrics, series) {
			t.Errorf("/metrics has no %s", series)
		}
	}
	a.stop()
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(data), `"traceId":"0af7651916cd43dd8448eb211c80319c"`); n != 5 || strings.Count(string(data), `"project":"shop"`) != 8 {
		t.Errorf("the access log has %d of 5 lines with the visitor's trace:\n%s", n, data)
	}
	for _, end := range []func(){func() {}, a.kill} { // of what anchor stats has shown, nothing is lost
		end()
		a.start()
		wantStats(t, a, map[string]int{first.DeploymentID: 3, second.DeploymentID: 5}, second.DeploymentID)
	}
}

func wantStats(t *testing.T, a *anchor, requests map[string]int, live string) {
	t.Helper()
	out, errs, code := a.run("stats", "shop", "--json")
	var stats struct {
		Total       struct{ Requests int }
		Deployments []struct {
			DeploymentID string
			Live         bool
			Requests     int
			P99MS        float64
		}
	}
	if err := json.Unmarshal([]byte(out), &stats); code != 0 || err != nil {
		t.Fatal(code, errs, err)
	}
	total := 0
	for _, d := range stats.Deployments {
		total += d.Requests
		if d.Requests != requests[d.DeploymentID] || d.Live != (d.DeploymentID == live) || d.P99MS <= 0 {
			t.Errorf("%+v, want %d requests", d, requests[d.DeploymentID])
		}
	}
	if len(stats.Deployments) != len(requests) || stats.Total.Requests != total {
		t.Errorf("%s", out)
	}
}

// metrics scrapes the server with its token.
func (a *anchor) metrics(t *testing.T) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.api+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res.Status, err)
	}
	return string(text)
}
