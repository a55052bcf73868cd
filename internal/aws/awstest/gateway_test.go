package awstest_test

import (
	"testing"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
)

func TestGatewayBody(t *testing.T) {
	for _, c := range []struct {
		contentType, body, want string
		base64                  bool
	}{
		{"application/json", `{"ü":1}`, `{"ü":1}`, false},
		{"Application/JSON; charset=utf-8", "{}", "{}", false},
		{"text/plain", "a", "a", false},
		{"application/json", "\x1f\x8b", "\x1f\ufffd", false},
		{"application/gzip", "\x1f\x8b", "H4s=", true},
		{"application/octet-stream", "a", "YQ==", true},
		{"application/problem+json", "{}", "e30=", true},
		{"", "a", "YQ==", true},
		{"", "", "", false},
	} {
		if got, is := awstest.GatewayBody(c.contentType, []byte(c.body)); got != c.want || is != c.base64 {
			t.Errorf("a body %q of %q is %q, base64 %v; want %q, %v", c.body, c.contentType, got, is, c.want, c.base64)
		}
	}
}
