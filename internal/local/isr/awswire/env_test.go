package awswire_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/local/isr/awswire"
)

func TestEnv_NamesHandledServices(t *testing.T) {
	key := awswire.Key{ID: "AKID", Secret: "s"}
	wire := `{"buckets":["anchor-cache","anchor-assets"],"endpoint":"http://127.0.0.1:9","key":"AKID","region":"anchor-local-1","secret":"s"}`
	server := map[string]string{
		"ANCHOR_WIRE":       wire,
		"CACHE_BUCKET_NAME": "anchor-cache", "CACHE_BUCKET_KEY_PREFIX": "_cache", "CACHE_BUCKET_REGION": "anchor-local-1", "CACHE_DYNAMO_TABLE": "anchor-tags",
		"REVALIDATION_QUEUE_URL":    "https://sqs.anchor-local-1.amazonaws.com/000000000000/anchor-revalidation.fifo",
		"REVALIDATION_QUEUE_REGION": "anchor-local-1",
	}
	image := map[string]string{
		"ANCHOR_WIRE": wire, "BUCKET_NAME": "anchor-assets", "BUCKET_KEY_PREFIX": "", "BUCKET_REGION": "anchor-local-1", "AWS_REGION": "anchor-local-1",
	}
	if diff := cmp.Diff(server, awswire.ServerEnv("http://127.0.0.1:9/", key)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(image, awswire.ImageEnv("http://127.0.0.1:9", key)); diff != "" {
		t.Error(diff)
	}
}

func TestCredentials_StableUntilRevoked(t *testing.T) {
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
