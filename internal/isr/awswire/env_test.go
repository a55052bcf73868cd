package awswire_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/isr/awswire"
)

func TestEnvNamesWhatTheHandlerAnswers(t *testing.T) {
	key := awswire.Key{ID: "AKID", Secret: "s"}
	common := map[string]string{
		"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9", "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9", "AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:9",
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s",
	}
	server := map[string]string{
		"CACHE_BUCKET_NAME": "anchor-cache", "CACHE_BUCKET_KEY_PREFIX": "_cache", "CACHE_BUCKET_REGION": "us-east-1", "CACHE_DYNAMO_TABLE": "anchor-tags",
		"REVALIDATION_QUEUE_URL": "http://127.0.0.1:9/000000000000/anchor-revalidation.fifo", "REVALIDATION_QUEUE_REGION": "us-east-1",
	}
	image := map[string]string{"BUCKET_NAME": "anchor-assets", "BUCKET_KEY_PREFIX": "", "BUCKET_REGION": "us-east-1"}
	for name, v := range common {
		server[name], image[name] = v, v
	}
	if diff := cmp.Diff(server, awswire.ServerEnv("http://127.0.0.1:9/", key)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(image, awswire.ImageEnv("http://127.0.0.1:9", key)); diff != "" {
		t.Error(diff)
	}
}

func TestCredentialsAreStablePerNamespaceUntilRevoked(t *testing.T) {
	c := awswire.NewCredentials()
	one, two := c.Issue("one"), c.Issue("two")
	if one == two || c.Issue("one") != one {
		t.Fatalf("%+v, %+v, %+v", one, two, c.Issue("one"))
	}
	if ns, ok := c.Namespace(one.ID); ns != "one" || !ok {
		t.Errorf("%q, %v", ns, ok)
	}
	c.Revoke("one")
	c.Revoke("never issued")
	for _, id := range []string{one.ID, "", "AKID"} {
		if ns, ok := c.Namespace(id); ok {
			t.Errorf("%q opens %q", id, ns)
		}
	}
	if ns, _ := c.Namespace(two.ID); ns != "two" || c.Issue("one") == one {
		t.Error("revoking one touched two, or one got its old key again")
	}
}

// Node's own HTTP client and JSON parser read what an OpenNext "-lite" override reads.
func TestNodeReadsAnEntryWithPlainFetch(t *testing.T) {
	s := newServer(t)
	put(t, s.s3("one"), "_cache/B/isr.cache", strings.NewReader(`{"type":"app","html":"<p>ü</p>"}`))
	script := `
		const auth = "AWS4-HMAC-SHA256 Credential=" + process.env.AWS_ACCESS_KEY_ID + "/20260101/us-east-1/s3/aws4_request, Signature=0";
		const get = (key) => fetch(process.env.AWS_ENDPOINT_URL_S3 + "/" + process.env.CACHE_BUCKET_NAME + "/" + key, { headers: { authorization: auth } });
		const hit = await get("_cache/B/isr.cache");
		const age = Date.now() - new Date(hit.headers.get("last-modified")).getTime();
		console.log(hit.status, (await hit.json()).html, age >= 0, (await get("_cache/B/none.cache")).status);`
	node := exec.CommandContext(t.Context(), "node", "--input-type=module", "-e", script)
	for name, v := range awswire.ServerEnv(s.endpoint, s.keys.Issue("one")) {
		node.Env = append(node.Environ(), name+"="+v)
	}
	out, err := node.CombinedOutput()
	if got := strings.TrimSpace(string(out)); err != nil || got != "200 <p>ü</p> true 404" {
		t.Errorf("%s, %v", got, err)
	}
}
