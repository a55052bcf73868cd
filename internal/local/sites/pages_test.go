package sites_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// countingModule is a server function whose pages may be shared and differ at each call. It writes
// tags as OpenNext does.
const countingModule = `
let calls = 0;
const { CACHE_DYNAMO_TABLE: table, CACHE_BUCKET_REGION: region, AWS_ACCESS_KEY_ID: key } = process.env;
const write = (revalidatedAt) => fetch("https://dynamodb." + region + ".amazonaws.com/", {
  method: "POST",
  headers: { "x-amz-target": "DynamoDB_20120810.BatchWriteItem", authorization: "AWS4-HMAC-SHA256 Credential=" + key + "/d/r/dynamodb/aws4_request" },
  body: JSON.stringify({ RequestItems: { [table]: [{ PutRequest: { Item: { tag: { S: "t" }, path: { S: "p" }, revalidatedAt: { N: "" + revalidatedAt } } } }] } }),
});
export const handler = async ({ rawPath, rawQueryString }) => {
  if (rawPath === "/revalidate") return { statusCode: (await write(rawQueryString)).status, headers: {}, body: "" };
  return { statusCode: 200, headers: { "content-type": "text/plain", "cache-control": "s-maxage=600" }, body: "call " + ++calls };
};`

func countingApp() platformtest.App {
	const next = "server-functions/default/.next/"
	return platformtest.NewApp("one").Server(countingModule).
		With(next+"server/middleware-manifest.json", `{"middleware": {"/": {"matchers": [{"regexp": "^/guarded$"}]}}}`).
		With(next+"routes-manifest.json", `{"rewrites": {"afterFiles": [{"source": "/plan", "has": [{"type": "cookie", "key": "plan"}]}]}}`)
}

// page returns the text of a page and how the cache handled it.
func (in *installation) page(t *testing.T, host, target, cookie string) (body, caching string) {
	t.Helper()
	status, body, header := in.get(t, host, target, cookie)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", target, status, body)
	}
	return body, header.Get("Cache-Status")
}

func TestPagesAreShared(t *testing.T) {
	in := newInstallation(t)
	p, d, _ := in.publishApp(t, "shop", countingApp())
	_, host := in.platform.Hosts(p, d.ID)
	one, _ := in.page(t, host, "/page", "")
	two, caching := in.page(t, host, "/page", "session=1")
	if two != one || !strings.HasPrefix(caching, "anchor; hit") {
		t.Errorf("%q, then %q (%s)", one, two, caching)
	}
	if other, _ := in.page(t, host, "/page", "plan=free"); other == one {
		t.Error("a rule of next.config tells visitors apart by a cookie, and the cache does not")
	}
	first, _ := in.page(t, host, "/guarded", "")
	if again, caching := in.page(t, host, "/guarded", ""); again == first {
		t.Errorf("a page behind the middleware is shared: %s", caching)
	}
}

// The response of a revalidation arrives after the stored answers have become invalid.
func TestPagesFollowTags(t *testing.T) {
	in := newInstallation(t)
	p, d, _ := in.publishApp(t, "shop", countingApp())
	_, host := in.platform.Hosts(p, d.ID)
	q, e, _ := in.publishApp(t, "other", countingApp())
	_, other := in.platform.Hosts(q, e.ID)
	foreign, _ := in.page(t, other, "/page", "")

	variants := []string{"/page", "/page?_rsc=1", "/page/", "/de/page", "/_next/data/b/page.json"}
	before := map[string]string{}
	for _, target := range variants {
		before[target], _ = in.page(t, host, target, "")
	}
	in.page(t, host, "/revalidate?1", "") // an entry gets a tag
	for _, target := range variants {
		if got, _ := in.page(t, host, target, ""); got != before[target] {
			t.Errorf("%s: %q, then %q without a revalidation", target, before[target], got)
		}
	}
	in.page(t, host, "/revalidate?7", "")
	for _, target := range variants {
		if got, _ := in.page(t, host, target, ""); got == before[target] {
			t.Errorf("%s is %q still", target, got)
		}
	}
	if got, _ := in.page(t, other, "/page", ""); got != foreign {
		t.Error("the revalidation of one deployment concerns another")
	}
}
