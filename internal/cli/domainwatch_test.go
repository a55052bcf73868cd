package cli

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// A server that restarts while its domain is watched is waited for.
func TestWatchDomain_SurvivesRestart(t *testing.T) {
	a := apitest.New(t, apitest.Options{})
	var down atomic.Int64
	t.Setenv("ANCHOR_TOKEN", apitest.AdminToken)
	t.Setenv("ANCHOR_URL", apitest.Serve(t, a.Services(), api.Options{}, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/domains") || r.Method != http.MethodGet || down.Add(1) > 4 {
				next.ServeHTTP(w, r)
				return
			}
			panic(http.ErrAbortHandler)
		})
	}))
	const name = "shop.example.com"
	term := &screen{}
	streams := IOStreams{Out: term, Err: term, Width: 80}
	if code := run(t.Context(), []string{"projects", "create", "shop"}, streams, Parts{}); code != 0 {
		t.Fatalf("projects create ended with %d", code)
	}
	ended := make(chan int)
	go func() {
		ended <- run(t.Context(), []string{"domains", "add", "--project", "shop", "--wait", name}, streams, Parts{})
	}()
	looked(t, a, name)
	if err := a.DNS(name, domains.FindingRight); err != nil {
		t.Fatal(err)
	}
	if err := a.Issue(name); err != nil {
		t.Fatal(err)
	}
	if code := <-ended; code != 0 || down.Load() <= 4 {
		t.Errorf("ended with %d after %d looks: %s", code, down.Load(), term.lines())
	}
}
