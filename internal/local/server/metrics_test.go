package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

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

func TestRun_AccessLogThatCannotBeWritten(t *testing.T) {
	c := config(t, t.TempDir())
	c.AccessLog.Path = filepath.Join(t.TempDir(), "none", "access.log")
	wantRefused(t, c, anchor.KindInvalid, "bad_access_log")
}
