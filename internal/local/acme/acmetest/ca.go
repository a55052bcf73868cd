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

// CA is a running ACME server: strict, without any wait of its own.
type CA struct {
	*httptest.Server // its API, over HTTPS
	Store            *db.MemoryStore
	RootPEM          []byte // of what it issues

	// Issuer and IssuerKey sign what it issues. The key is nil without Options.OCSP.
	Issuer    *x509.Certificate
	IssuerKey crypto.Signer

	orders atomic.Int64
}

// Orders is how many orders the CA has made. One that it refuses, as for its nonce, is
// none; it is asked for again.
func (c *CA) Orders() int { return int(c.orders.Load()) }

// Options say where the CA looks at names and what it issues.
type Options struct {
	HTTP, TLS int    // ports that challenges are checked at
	Resolver  string // HOST:PORT of the DNS it asks
	Lifetime  uint64 // of certificates, in seconds; 0 is 90 days
	OCSP      string // URL of the responder that certificates name; "" is none
	// Front stands before the API when it is not nil.
	Front func(api http.Handler) http.Handler
}

// Start runs a CA until the test ends. How it misbehaves is set by Pebble's own
// variables (PEBBLE_WFE_NONCEREJECT and so on), before.
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
	api := counted(oneAtATime(front.Handler(), store), &running.orders)
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

// counted counts the orders that h makes.
func counted(h http.Handler, orders *atomic.Int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		noted := &noted{ResponseWriter: w}
		h.ServeHTTP(noted, r)
		if r.URL.Path == "/order-plz" && noted.status == http.StatusCreated {
			orders.Add(1)
		}
	})
}

// noted remembers the status of a response.
type noted struct {
	http.ResponseWriter
	status int
}

func (n *noted) WriteHeader(status int) {
	n.status = status
	n.ResponseWriter.WriteHeader(status)
}

// oneAtATime keeps Pebble from locking itself up: the view of an authorization
// locks it and then its order, that of an order locks the order and then its
// authorizations, and a third request that wants to write the order makes the two
// wait for each other for ever. So does the certificate that is written into an
// order behind the answer to its finalization, as the view of an order locks it
// twice: the next request waits for that, too.
func oneAtATime(h http.Handler, store *db.MemoryStore) http.Handler {
	var mu sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		h.ServeHTTP(w, r)
		if id, finalized := strings.CutPrefix(r.URL.Path, "/finalize-order/"); finalized {
			issued(store, id)
		}
	})
}

// issued waits until the order is not being processed. A minute is for a CA that
// failed to, which it tells nobody.
func issued(store *db.MemoryStore, id string) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if order := store.GetOrderByID(id); order == nil || order.Status != acme.StatusProcessing {
			return
		}
	}
}
