package acmetest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/mholt/acmez/v3/acme"
)

// TestCA_OrdersSeenWhileIssued asks for orders at the moment at which the CA writes their
// certificates into them.
func TestCA_OrdersSeenWhileIssued(t *testing.T) {
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	t.Setenv("PEBBLE_VA_ALWAYS_VALID", "1")
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "0")
	ca := Start(t, Options{HTTP: 1, TLS: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // only a broken CA takes as long
	defer cancel()
	client := &acme.Client{Directory: ca.URL + "/dir", HTTPClient: ca.Client(), PollInterval: time.Millisecond}
	account, err := client.NewAccount(ctx, acme.Account{PrivateKey: newKey(t), TermsOfServiceAgreed: true})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 1000 {
		order := ready(ctx, t, client, account, fmt.Sprintf("n%d.example.com", n))
		csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{order.Identifiers[0].Value}}, newKey(t))
		if err != nil {
			t.Fatal(err)
		}
		issue(ctx, t, client, account, order, csr)
	}
}

// issue finalizes the order and reads it from a second client until it is valid.
func issue(ctx context.Context, t *testing.T, client *acme.Client, account acme.Account, order acme.Order, csr []byte) {
	t.Helper()
	ctx, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() {
		defer stop()
		for status := ""; status != acme.StatusValid; {
			seen, err := client.GetOrder(ctx, account, acme.Order{Location: order.Location})
			if status = seen.Status; err != nil {
				t.Errorf("look at %s: %v", order.Location, err)
				return
			}
		}
	})
	// FinalizeOrder waits a second before it reads the order itself, and is stopped before that.
	if _, err := client.FinalizeOrder(ctx, account, order, csr); err != nil && ctx.Err() == nil {
		t.Errorf("finalize %s: %v", order.Location, err)
	}
	<-ctx.Done()
	if t.Failed() {
		t.FailNow()
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// ready returns an order whose name is proved.
func ready(ctx context.Context, t *testing.T, client *acme.Client, account acme.Account, name string) acme.Order {
	t.Helper()
	order, err := client.NewOrder(ctx, account, acme.Order{Identifiers: []acme.Identifier{{Type: "dns", Value: name}}})
	if err != nil {
		t.Fatal(err)
	}
	authz, err := client.GetAuthorization(ctx, account, order.Authorizations[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.InitiateChallenge(ctx, account, authz.Challenges[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := client.PollAuthorization(ctx, account, authz); err != nil {
		t.Fatal(err)
	}
	return order
}
