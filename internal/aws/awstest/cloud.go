// Package awstest provides tests with an AWS: emulators as processes, and a wire between the SDK
// and them that counts and breaks calls. docs/conformance.md lists what each emulator does not
// support.
package awstest

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/middleware"

	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// Region is the region of the test's installation. It is not us-east-1, so that calls which must
// go there can be distinguished.
const Region = "eu-central-1"

// secret signs every call. MiniStack is started with it, to check presigned URLs.
const secret = "secret"

// Cloud is a running emulator.
type Cloud struct {
	Endpoint string // http://127.0.0.1:PORT
	Account  string // 12 digits
	Wire     *Wire  // every call of Config's clients goes over it

	judge func(*middleware.Stack) error
}

// MiniStack starts MiniStack, which runs until the test ends. It executes functions.
func MiniStack(t testing.TB) *Cloud {
	t.Helper()
	return start(t, miniStack)
}

// MiniStackWith is MiniStack with env added to the emulator's environment.
func MiniStackWith(t testing.TB, env ...string) *Cloud {
	t.Helper()
	return start(t, miniStack, env...)
}

// Moto starts moto, a second emulator for comparison, which runs until the test ends.
func Moto(t testing.TB) *Cloud {
	t.Helper()
	return start(t, moto)
}

// Config returns the configuration of a client of the emulator. Retries do not wait. A request
// that AWS's own model forbids fails the test, whatever the emulator does with it.
func (c *Cloud) Config() aws.Config {
	return aws.Config{
		Region:       Region,
		BaseEndpoint: aws.String(c.Endpoint),
		// The key has twelve digits, which the emulators use as the account.
		Credentials: credentials.NewStaticCredentialsProvider(c.Account, secret, ""),
		HTTPClient:  c.Wire,
		APIOptions:  []func(*middleware.Stack) error{c.judge},
		// MiniStack takes the account from signatures of version 4 only; the data plane of
		// CloudFront's KeyValueStore would sign with 4A.
		AuthSchemePreference: []string{"sigv4"},
		Retryer: func() aws.Retryer {
			return awserr.NewRetryer(func(o *retry.StandardOptions) { o.MaxBackoff = 5 * time.Millisecond })
		},
	}
}

// Env returns the variables by which the AWS CLI and the SDK's default configuration reach the
// same emulator.
func (c *Cloud) Env() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + c.Endpoint, "AWS_REGION=" + Region, "AWS_DEFAULT_REGION=" + Region,
		"AWS_ACCESS_KEY_ID=" + c.Account, "AWS_SECRET_ACCESS_KEY=" + secret, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
	}
}

// CLI runs the real AWS CLI against the emulator and returns its output.
func (c *Cloud) CLI(t testing.TB, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), findTool(t, "aws"), args...)
	cmd.Env = append(os.Environ(), c.Env()...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("aws %v: %v\n%s", args, err, stderr.Bytes())
	}
	return string(out)
}

// Tool returns the path of a program in the emulators' Python environment: cfn-lint, aws.
func Tool(t testing.TB, name string) string { t.Helper(); return findTool(t, name) }

// findTool finds a program in the environment that `make emulators` made at the
// module's root.
func findTool(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("the test runs outside of the module")
		}
	}
	path := filepath.Join(dir, ".venv", "bin", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not there, make it with: make emulators (%v)", name, err)
	}
	return path
}

func start(t testing.TB, e emulator, env ...string) *Cloud {
	t.Helper()
	p, err := run(t, e, env...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.endGroup(); err != nil {
			t.Error(err)
		}
	})
	return p.newAccount(t)
}

// newAccount returns a new account on the emulator.
func (p *process) newAccount(t testing.TB) *Cloud {
	t.Helper()
	c := &Cloud{
		Endpoint: p.endpoint,
		Account:  strconv.Itoa(100_000_000_000 + rand.IntN(800_000_000_000)),
		Wire:     newWire(strings.TrimPrefix(p.endpoint, "http://")),
		judge:    judgeRequests(t),
	}
	t.Cleanup(func() {
		c.Wire.close()
		if t.Failed() {
			t.Logf("%s says:\n%s", p.name, p.log.lastOctets(4000))
		}
	})
	return c
}

func isAnswering(ctx context.Context, url string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/", http.NoBody)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	res.Body.Close()
	return true
}
