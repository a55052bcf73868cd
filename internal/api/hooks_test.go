package api_test

import (
	"net/http"
	"testing"

	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
)

// TestHooks_WithoutConnectionsSayWhatToDo covers an installation on AWS, which clones by CodeBuild.
func TestHooks_WithoutConnectionsSayWhatToDo(t *testing.T) {
	base := withShop(t, api.Options{})
	for _, r := range [][3]string{
		{"GET", "/projects/shop/connection", ""},
		{"PUT", "/projects/shop/connection", `{"host":"github","repository":"https://github.com/acme/shop"}`},
		{"DELETE", "/projects/shop/connection", ""},
		{"POST", "/projects/shop/connection/trust-host-key", ""},
		{"GET", "/projects/shop/pulls", ""},
		{"POST", "/projects/shop/pulls/1/approve", `{}`},
		{"POST", "/hooks/shop/github", `{}`},
	} {
		got := call(t, base, r[0], r[1], apitest.AdminToken, r[2], nil)
		got.isProblem(t, http.StatusNotImplemented, "no_connections")
		if got.problem.Hint == "" {
			t.Errorf("%s %s does not say what to do instead", r[0], r[1])
		}
	}
	call(t, base, "POST", "/hooks/nothing/github", "", "{}", nil).isProblem(t, http.StatusNotFound, "unknown_project")
	call(t, base, "GET", "/projects/shop/connection?reveal=true", apitest.ReadToken, "", nil).isProblem(t, http.StatusForbidden, "scope_too_small")
}
