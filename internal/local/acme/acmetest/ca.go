// Package acmetest runs a real ACME server, Pebble, in the process of a test.
package acmetest

import (
	"crypto"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/acme"
	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
)

// CA is a running ACME server. It is strict and adds no delays.
type CA struct {
	*httptest.Server // its API, over HTTPS
	Store            *db.MemoryStore
	RootPEM          []byte // of what it issues

	// Issuer and IssuerKey sign the certificates. The key is nil without Options.OCSP.
	Issuer    *x509.Certificate
	IssuerKey crypto.Signer

	orders atomic.Int64
}

// Orders returns how many orders the CA has made. An order that it refuses, as for its nonce, does
// not count; the client asks for it again.
func (c *CA) Orders() int { return int(c.orders.Load()) }

// Options say where the CA looks at names and what it issues.
type Options struct {
	HTTP, TLS int    // ports that challenges are checked at
	Resolver  string // HOST:PORT of the DNS it asks
	Lifetime  uint64 // of certificates, in seconds; 0 is 90 days
	OCSP      string // URL of the responder that certificates name; "" is none
	// Front wraps the API when it is not nil.
	Front func(api http.Handler) http.Handler
}

// Start runs a CA until the test ends. Pebble's own variables (PEBBLE_WFE_NONCEREJECT and so on)
// set how it misbehaves; set them before Start.
func Start(t testing.TB, o Options) *CA {
	t.Helper()
	quiet, store := log.New(io.Discard, "", 0), db.NewMemoryStore()
	if o.Lifetime == 0 {
		o.Lifetime = 90 * 24 * 3600
	}
	kind := "ecdsa"
	if o.OCSP != "" {
		kind = "rsa" // Pebble hands out RSA keys only
	}
	issuing := ca.New(quiet, store, o.OCSP, kind, 0, 1, map[string]ca.Profile{"default": {ValidityPeriod: o.Lifetime}})
	validating := va.New(quiet, o.HTTP, o.TLS, true, o.Resolver, store)
	front := wfe.New(quiet, store, validating, issuing, []string{"pebble.letsencrypt.org"}, true, false, 1, 1)
	running := &CA{Store: store, RootPEM: issuing.GetRootCert(0).PEM(), Issuer: issuing.GetIntermediateCert(0).Cert}
	api := countOrders(oneAtATime(front.Handler(), store), &running.orders)
	if o.Front != nil {
		api = o.Front(api)
	}
	running.Server = httptest.NewTLSServer(api)
	t.Cleanup(running.Close)
	if key := issuing.GetIntermediateKey(0); key != nil {
		running.IssuerKey = key
	}
	return running
}

// countOrders counts the orders that h makes.
func countOrders(h http.Handler, orders *atomic.Int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		noted := &noted{ResponseWriter: w}
		h.ServeHTTP(noted, r)
		if r.URL.Path == "/order-plz" && noted.status == http.StatusCreated {
			orders.Add(1)
		}
	})
}

// noted records the status of a response.
type noted struct {
	http.ResponseWriter
	status int
}

func (n *noted) WriteHeader(status int) {
	n.status = status
	n.ResponseWriter.WriteHeader(status)
}

// oneAtATime keeps Pebble from a deadlock. The view of an authorization locks it and then its
// order; the view of an order locks the order and then its authorizations. A third request that
// wants to write the order makes the two wait for each other for ever. The same happens when the
// certificate is written into an order after its finalization was answered: the view of an order
// locks it twice, so the next request waits for that, too.
func oneAtATime(h http.Handler, store *db.MemoryStore) http.Handler {
	var mu sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		h.ServeHTTP(w, r)
		if id, finalized := strings.CutPrefix(r.URL.Path, "/finalize-order/"); finalized {
			awaitIssued(store, id)
		}
	})
}

// awaitIssued waits until the order is no longer being processed. It waits a minute at most, for a CA
// that failed to issue, which it reports to nobody.
func awaitIssued(store *db.MemoryStore, id string) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if order := store.GetOrderByID(id); order == nil || order.Status != acme.StatusProcessing {
			return
		}
	}
}
