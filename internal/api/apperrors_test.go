package api_test

import (
	"testing"

	"github.com/anchor-deploy/anchor/internal/api/apitest"
)

func TestLogs_RefuseBadFilters(t *testing.T) {
	base := serve(t, apitest.New(t, apitest.Options{}))
	call(t, base, "POST", "/projects", apitest.AdminToken, `{"slug":"shop"}`, nil).is(t, 201)
	for query, code := range map[string]string{
		"level=loud": "bad_level", "since=5&until=5": "bad_time", "since=-1": "", "since=yesterday": "",
	} {
		call(t, base, "GET", "/projects/shop/logs?"+query, apitest.ReadToken, "", nil).isProblem(t, 400, code)
	}
	call(t, base, "GET", "/projects/shop/logs?level=warn&since=1&until=2&search=x", apitest.ReadToken, "", nil).is(t, 200)
}

func TestErrors_WithoutGroups(t *testing.T) {
	base := serve(t, apitest.New(t, apitest.Options{}))
	call(t, base, "POST", "/projects", apitest.AdminToken, `{"slug":"shop"}`, nil).is(t, 201)
	call(t, base, "GET", "/projects/shop/errors", apitest.ReadToken, "", nil).isProblem(t, 501, "no_errors")
	call(t, base, "GET", "/projects/none/errors/0", apitest.ReadToken, "", nil).isProblem(t, 404, "")
}
