package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
)

func TestMetrics_NeedAToken(t *testing.T) {
	services := apitest.New(t, apitest.Options{}).Services()
	services.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openmetrics-text; version=1.0.0")
		_, _ = w.Write([]byte("# EOF\n"))
	})
	base := apitest.Serve(t, services, api.Options{}, nil)
	call(t, base, "GET", "/metrics", "", "", nil).isProblem(t, 401, "no_token")
	call(t, base, "GET", "/metrics", apitest.UnknownToken, "", nil).isProblem(t, 401, "")
	got := call(t, base, "GET", "/metrics", apitest.ReadToken, "", nil)
	got.is(t, 200)
	if got.body != "# EOF\n" || !strings.HasPrefix(got.header.Get("Content-Type"), "application/openmetrics-text") {
		t.Errorf("%q %v", got.body, got.header)
	}
}

func TestStats_OutsideOfTheRange(t *testing.T) {
	base := serve(t, apitest.New(t, apitest.Options{}))
	call(t, base, "POST", "/projects", apitest.AdminToken, `{"slug":"shop"}`, nil).is(t, 201)
	for _, last := range []string{"-1", "0", "2592001", "x"} {
		call(t, base, "GET", "/projects/shop/stats?last="+last, apitest.ReadToken, "", nil).isProblem(t, 400, "")
	}
	call(t, base, "GET", "/projects/shop/stats", apitest.ReadToken, "", nil).isProblem(t, 501, "no_traffic")
	call(t, base, "GET", "/metrics", apitest.ReadToken, "", nil).isProblem(t, 501, "no_metrics")
	call(t, base, "GET", "/projects/none/stats", apitest.ReadToken, "", nil).isProblem(t, 404, "")
}
