//go:build slow

package dynamo_test

import (
	"net/http"
	"sync"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
)

func TestConformanceOnMoto(t *testing.T) {
	config := awstest.Moto(t).Config()
	config.HTTPClient = &oneByOne{client: config.HTTPClient}
	conform(t, config)
}

// oneByOne serializes calls: moto reverts a refused transaction by restoring the tables as they
// were before it, and so loses what others wrote meanwhile.
type oneByOne struct {
	mu     sync.Mutex
	client sdk.HTTPClient
}

func (o *oneByOne) Do(r *http.Request) (*http.Response, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.client.Do(r)
}
