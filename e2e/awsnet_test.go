package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// internet is the proxy by which the handlers reach everything else: every host name is the
// emulator's, also in TLS. The product connects to https://… of function URLs and to account
// hosts of KeyValueStore, as on AWS.
type internet struct {
	*httptest.Server
	authority string // PEM file of the issuer of its certificates
	emulator  *httputil.ReverseProxy
	inner     *http.Server
	tunnels   tunnels
}

func newInternet(t *testing.T, endpoint string) *internet {
	t.Helper()
	n := &internet{emulator: proxyTo(t, endpoint), tunnels: tunnels{make(chan net.Conn), make(chan struct{})}}
	certificates, authority := newAuthority(t)
	n.authority = filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(n.authority, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	n.inner = &http.Server{Handler: n.emulator, TLSConfig: &tls.Config{GetCertificate: certificates}, ErrorLog: log.New(io.Discard, "", 0)}
	go n.inner.ServeTLS(n.tunnels, "", "")
	n.Server = httptest.NewServer(n)
	t.Cleanup(func() { n.inner.Close(); n.CloseClientConnections(); n.Close() })
	return n
}

// proxyTo forwards to the emulator under the requested name.
func proxyTo(t *testing.T, endpoint string) *httputil.ReverseProxy {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1, ErrorLog: log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.URL.Path, r.Out.URL.RawPath = r.In.URL.Path, r.In.URL.RawPath
			r.Out.Host = r.In.Host
			for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
				if values, ok := r.In.Header[name]; ok { // which ReverseProxy has removed
					r.Out.Header[name] = values
				}
			}
		},
	}
}

// env returns the variables that make a process use this proxy.
func (n *internet) env() []string {
	return []string{"HTTPS_PROXY=" + n.URL, "HTTP_PROXY=" + n.URL, "SSL_CERT_FILE=" + n.authority}
}

// ServeHTTP implements http.Handler.
func (n *internet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		n.emulator.ServeHTTP(w, r)
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
	select {
	case n.tunnels.conns <- conn:
	case <-n.tunnels.closed:
		conn.Close()
	}
}

// tunnels is a net.Listener for connections that come through CONNECT.
type tunnels struct {
	conns  chan net.Conn
	closed chan struct{}
}

// Accept implements net.Listener.
func (l tunnels) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l tunnels) Close() error { close(l.closed); return nil }

// Addr implements net.Listener.
func (l tunnels) Addr() net.Addr { return &net.TCPAddr{} }

// newAuthority returns a function that issues certificates for any name, and the certificate of
// their issuer.
func newAuthority(t *testing.T) (get func(*tls.ClientHelloInfo) (*tls.Certificate, error), authority []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "e2e"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	get = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		leaf := &x509.Certificate{
			SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{hello.ServerName},
			NotBefore: root.NotBefore, NotAfter: root.NotAfter, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		}
		signed, err := x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), key)
		return &tls.Certificate{Certificate: [][]byte{signed}, PrivateKey: key}, err
	}
	return get, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// lambdaService is Lambda's API: the emulator's, except for invocations of the installation's
// handlers, whose runtime the emulator cannot execute.
type lambdaService struct {
	*httptest.Server
	emulator *httputil.ReverseProxy
	handlers func(name string) *lambdaFunction
	invoked  func(f *lambdaFunction, event []byte) // asynchronously

	mu     sync.Mutex
	denied string // an action
}

func newLambdaService(t *testing.T, endpoint string) *lambdaService {
	t.Helper()
	s := &lambdaService{emulator: proxyTo(t, endpoint)}
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

// ServeHTTP implements http.Handler.
func (s *lambdaService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.refuses(w, r) {
		return
	}
	name, isInvoke := strings.CutPrefix(r.URL.Path, "/2015-03-31/functions/")
	name, isInvoke = cutInvocations(name, isInvoke)
	f := s.handlers(name)
	if !isInvoke || f == nil {
		s.emulator.ServeHTTP(w, r)
		return
	}
	event, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if r.Header.Get("X-Amz-Invocation-Type") == "Event" {
		w.WriteHeader(http.StatusAccepted)
		s.invoked(f, event)
		return
	}
	answer, err := f.invoke(context.WithoutCancel(r.Context()), event)
	if err != nil {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		answer = []byte(err.Error())
	}
	io.Copy(w, bytes.NewReader(answer))
}

func cutInvocations(path string, ok bool) (string, bool) {
	name, is := strings.CutSuffix(path, "/invocations")
	return name, ok && is
}

// deny makes Lambda refuse an action to everybody from now on; "" allows everything.
func (s *lambdaService) deny(action string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied = action
}

// refuses answers as Lambda does for a role without the permission.
func (s *lambdaService) refuses(w http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	denied := s.denied
	s.mu.Unlock()
	if denied != "lambda:PublishVersion" || r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/versions") {
		return false
	}
	w.Header().Set("X-Amzn-Errortype", "AccessDeniedException")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusForbidden)
	w.Write([]byte(`{"Message": "User: arn:aws:sts::123456789012:assumed-role/anchor-deploy/anchor-deploy is not authorized to perform: ` + denied +
		` on resource: arn:aws:lambda:eu-central-1:123456789012:function:anchor-shop-server because no identity-based policy allows the ` + denied + ` action"}`))
	return true
}
