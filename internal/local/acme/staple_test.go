package acme

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// brought returns a manager with a certificate of the CA for each name, behind a front.
func (r *responder) brought(t *testing.T, hot int, names ...string) (*front, *Manager, map[string]*x509.Certificate) {
	t.Helper()
	m := open(t, Config{Dir: t.TempDir(), CA: "https://127.0.0.1:1/dir", Hot: hot, FirstRetry: 20 * time.Millisecond, Log: slog.New(slog.DiscardHandler)})
	f := listenFront(t)
	f.serve(t, m)
	f.publish(names...)
	leaves := map[string]*x509.Certificate{}
	for _, name := range names {
		chain, key, leaf := r.issue(t, name)
		if _, err := m.Import(t.Context(), named(name), chain, key); err != nil {
			t.Fatal(err)
		}
		leaves[name] = leaf
	}
	return f, m, leaves
}

// shake makes a full handshake, in which the certificate is checked, and returns the certificate
// and its staple.
func (f *front) shake(t *testing.T, name string, roots *x509.CertPool) (*x509.Certificate, []byte) {
	t.Helper()
	conn, err := tls.Dial("tcp", f.tls.Addr().String(), &tls.Config{ServerName: name, RootCAs: roots})
	if err != nil {
		t.Fatalf("%s is not served: %v", name, err)
	}
	defer conn.Close()
	state := conn.ConnectionState()
	return state.PeerCertificates[0], state.OCSPResponse
}

// stapled makes handshakes until wanted accepts a staple.
func (f *front) stapled(t *testing.T, name string, roots *x509.CertPool, wanted func(leaf *x509.Certificate, raw []byte) bool) (*x509.Certificate, []byte) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		leaf, raw := f.shake(t, name, roots)
		if raw != nil && (wanted == nil || wanted(leaf, raw)) {
			return leaf, raw
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: what is wanted is never stapled", name)
		}
	}
}

// wantGood checks that the staple is the CA's statement about the leaf.
func wantGood(t *testing.T, raw []byte, leaf, issuer *x509.Certificate) {
	t.Helper()
	response, err := ocsp.ParseResponseForCert(raw, leaf, issuer)
	if err != nil || response.Status != ocsp.Good {
		t.Errorf("stapled is %+v, %v; want Good", response, err)
	}
}

func TestStaple_OwnCertificate(t *testing.T) {
	t.Parallel()
	r := startResponder(t)
	f, m, leaves := r.brought(t, 0, "shop.example.com")
	leaf, raw := f.stapled(t, "shop.example.com", r.roots, nil)
	wantGood(t, raw, leaf, r.issuer)
	if !leaf.Equal(leaves["shop.example.com"]) {
		t.Error("another certificate is served")
	}
	if asked := r.questions(); len(asked) != 1 || asked[0].Cmp(leaf.SerialNumber) != 0 {
		t.Errorf("the responder was asked for %v, want %v once", asked, leaf.SerialNumber)
	}

	chain, key, next := r.issue(t, "shop.example.com")
	if _, err := m.Import(t.Context(), named("shop.example.com"), chain, key); err != nil {
		t.Fatal(err)
	}
	leaf, raw = f.stapled(t, "shop.example.com", r.roots, nil)
	wantGood(t, raw, next, r.issuer)
	if !leaf.Equal(next) {
		t.Error("the successor is not served")
	}
	if err := m.Release(t.Context(), named("shop.example.com")); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(m.cfg.Dir, "ocsp", "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Whatever happens to the responder, no handshake waits for it.
func TestStaple_WithoutResponder(t *testing.T) {
	t.Parallel()
	const name = "shop.example.com"
	for what, answer := range map[string]func(r *responder) func(http.ResponseWriter, *big.Int){
		"down": func(r *responder) func(http.ResponseWriter, *big.Int) { r.Close(); return nil },
		"garbage": func(*responder) func(http.ResponseWriter, *big.Int) {
			return func(w http.ResponseWriter, _ *big.Int) { io.WriteString(w, "hello") }
		},
		"failing": func(*responder) func(http.ResponseWriter, *big.Int) {
			return func(w http.ResponseWriter, _ *big.Int) { w.WriteHeader(http.StatusInternalServerError) }
		},
	} {
		t.Run(what, func(t *testing.T) {
			r := startResponder(t)
			r.says(answer(r))
			f, _, _ := r.brought(t, 0, name)
			for range 20 {
				if _, raw := f.shake(t, name, r.roots); raw != nil {
					t.Errorf("stapled is %q", raw)
				}
			}
		})
	}
	t.Run("silent", func(t *testing.T) {
		r, asked, answer := startResponder(t), make(chan struct{}, 1), make(chan struct{})
		r.says(func(w http.ResponseWriter, serial *big.Int) {
			asked <- struct{}{}
			<-answer
			w.Write(r.response(t, serial, nil))
		})
		f, _, _ := r.brought(t, 0, name)
		f.shake(t, name, r.roots)
		<-asked
		if _, raw := f.shake(t, name, r.roots); raw != nil {
			t.Errorf("stapled is %q", raw)
		}
		close(answer)
		leaf, raw := f.stapled(t, name, r.roots, nil)
		wantGood(t, raw, leaf, r.issuer)
	})
}

// A certificate keeps its staple over a restart and when it leaves the memory and returns.
func TestStaple_IsKept(t *testing.T) {
	t.Parallel()
	r := startResponder(t)
	f, m, _ := r.brought(t, 1, "a.example.com", "b.example.com")
	_, a := f.stapled(t, "a.example.com", r.roots, nil)
	_, b := f.stapled(t, "b.example.com", r.roots, nil)
	r.Close()
	same := func(when string) {
		t.Helper()
		for name, want := range map[string][]byte{"a.example.com": a, "b.example.com": b} {
			if _, raw := f.shake(t, name, r.roots); !bytes.Equal(raw, want) {
				t.Errorf("%s: %s has another staple, of %d bytes", when, name, len(raw))
			}
		}
	}
	for range 3 {
		same("with one certificate in memory")
	}
	m.Close()
	f.serve(t, open(t, m.cfg))
	same("after a restart")
}

func TestStaple_IsRefreshed(t *testing.T) {
	t.Parallel()
	r := startResponder(t)
	r.says(func(w http.ResponseWriter, serial *big.Int) {
		w.Write(r.response(t, serial, func(o *ocsp.Response) { o.ThisUpdate = time.Now().Add(-2 * time.Hour) })) // past half its life
	})
	f, m, leaves := r.brought(t, 0, "shop.example.com")
	leaf, first := f.stapled(t, "shop.example.com", r.roots, nil)
	r.says(func(w http.ResponseWriter, serial *big.Int) { w.Write(r.response(t, serial, nil)) })
	_, raw := f.stapled(t, "shop.example.com", r.roots, func(_ *x509.Certificate, raw []byte) bool { return !bytes.Equal(raw, first) })
	wantGood(t, raw, leaf, r.issuer)
	_, served := m.findServed("shop.example.com")
	if until := time.Now().Add(2 * time.Hour); m.staples.stapleOf(served, time.Now()) == nil || m.staples.stapleOf(served, until) != nil {
		t.Error("a staple is not served for as long as it is valid, or is served longer")
	}

	// A response that expired while Anchor was down is not used again.
	m.Close()
	old := r.response(t, leaves["shop.example.com"].SerialNumber, func(o *ocsp.Response) {
		o.ThisUpdate, o.NextUpdate = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	})
	if err := writeFile(m.staples.staplePath("shop.example.com"), old); err != nil {
		t.Fatal(err)
	}
	r.Close()
	f.serve(t, open(t, m.cfg))
	if _, raw := f.shake(t, "shop.example.com", r.roots); raw != nil {
		t.Error("an expired staple is served")
	}
}

func TestStaple_RefusesResponses(t *testing.T) {
	t.Parallel()
	r, other := startResponder(t), startResponder(t)
	_, _, leaf := r.issue(t, "shop.example.com")
	delegate := func(usage ...x509.ExtKeyUsage) *x509.Certificate {
		return r.sign(t, &x509.Certificate{
			SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Delegate"}, ExtKeyUsage: usage,
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		}, r.issuer, r.key, r.key)
	}
	for what, c := range map[string]struct {
		raw  []byte
		says string // "" when the response is accepted
	}{
		"good":                   {r.response(t, leaf.SerialNumber, nil), ""},
		"revoked":                {r.response(t, leaf.SerialNumber, func(o *ocsp.Response) { o.Status = ocsp.Revoked }), ""},
		"by a delegate":          {r.response(t, leaf.SerialNumber, func(o *ocsp.Response) { o.Certificate = delegate(x509.ExtKeyUsageOCSPSigning) }), ""},
		"by one who may not":     {r.response(t, leaf.SerialNumber, func(o *ocsp.Response) { o.Certificate = delegate(x509.ExtKeyUsageServerAuth) }), "which may not"},
		"by another CA":          {other.response(t, leaf.SerialNumber, nil), "signature"},
		"of another certificate": {r.response(t, big.NewInt(7), nil), "no response matching"},
		"unknown":                {r.response(t, leaf.SerialNumber, func(o *ocsp.Response) { o.Status = ocsp.Unknown }), "does not know"},
		"without an end":         {r.response(t, leaf.SerialNumber, func(o *ocsp.Response) { o.NextUpdate = time.Time{} }), "valid from"},
		"of tomorrow":            {r.response(t, leaf.SerialNumber, func(o *ocsp.Response) { o.ThisUpdate = time.Now().Add(24 * time.Hour) }), "valid from"},
		"try later":              {ocsp.TryLaterErrorResponse, "try later"},
		"nothing":                {nil, "read the OCSP response"},
	} {
		if _, err := readResponse(c.raw, leaf, r.issuer, time.Now()); (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", what, err, c.says)
		}
	}
}

// Certificates issued by ACME are stapled too, and one that the CA revoked is replaced by a new
// one.
func TestStaple_RevokedCertificateIsReplaced(t *testing.T) {
	t.Parallel()
	const name = "shop.example.com"
	f, r := listenFront(t), startResponder(t)
	o := f.ports(t, 0)
	o.ocsp = r.URL
	p := startPebble(t, o)
	r.issuer, r.key = p.Issuer, p.IssuerKey
	r.says(func(w http.ResponseWriter, serial *big.Int) {
		w.Write(r.response(t, serial, func(o *ocsp.Response) { o.ThisUpdate = time.Now().Add(-2 * time.Hour) })) // to be asked again soon
	})
	m := open(t, p.config(t))
	f.serve(t, m)
	f.publish(name)
	ensured(t, m, name)
	first, raw := f.stapled(t, name, p.roots, nil)
	wantGood(t, raw, first, p.Issuer)

	r.says(func(w http.ResponseWriter, serial *big.Int) {
		w.Write(r.response(t, serial, func(o *ocsp.Response) {
			if serial.Cmp(first.SerialNumber) == 0 {
				o.Status, o.RevokedAt = ocsp.Revoked, time.Now()
			}
		}))
	})
	second, raw := f.stapled(t, name, p.roots, func(leaf *x509.Certificate, _ []byte) bool { return !leaf.Equal(first) })
	wantGood(t, raw, second, p.Issuer)
	if n := p.Orders(); n != 2 {
		t.Errorf("%d orders, want 2", n)
	}
	if bytes.Equal(first.RawSubjectPublicKeyInfo, second.RawSubjectPublicKeyInfo) {
		t.Error("the new certificate is for the key of the revoked one")
	}
}

// A revoked imported certificate is still served, without the response that says so, and nothing is
// ordered.
func TestStaple_RevokedOwnCertificate(t *testing.T) {
	t.Parallel()
	const name = "shop.example.com"
	r, told := startResponder(t), make(chan struct{}, 1)
	r.says(func(w http.ResponseWriter, serial *big.Int) {
		w.Write(r.response(t, serial, func(o *ocsp.Response) { o.Status, o.RevokedAt = ocsp.Revoked, time.Now() }))
	})
	f, m, _ := r.brought(t, 0)
	f.publish(name)
	m.staples.revoked = func(name string, leaf fingerprint) { m.renewRevoked(name, leaf); told <- struct{}{} }
	chain, key, leaf := r.issue(t, name)
	if _, err := m.Import(t.Context(), named(name), chain, key); err != nil {
		t.Fatal(err)
	}
	f.shake(t, name, r.roots)
	<-told
	if served, raw := f.shake(t, name, r.roots); raw != nil || !served.Equal(leaf) {
		t.Errorf("served is %v with the staple %q", served.SerialNumber, raw)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if e := m.names[name]; !e.imported || e.work != nil || !time.Now().Before(e.renewAt) {
		t.Errorf("it is being replaced: %+v", e)
	}
}
