package server_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/local/server"
)

// checkOf returns the doctor's check of a name, or nil.
func (f *pushFixture) checkOf(name string) *wire.Check {
	f.Helper()
	checks, err := f.api.Doctor(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range checks {
		if c.Name == name {
			return &c
		}
	}
	return nil
}

func (f *pushFixture) http3Status() string {
	f.Helper()
	status, err := f.api.Status(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	return status.HTTP3
}

// TestHTTP3_ServesBesideHTTPS asks the API by HTTP/3, as its name stands for all that the TLS listener
// serves.
func TestHTTP3_ServesBesideHTTPS(t *testing.T) {
	f := newPushFixture(t, withAdmin)
	pem, err := os.ReadFile(f.roots())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	u, err := url.Parse(f.ready.Admin)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http3.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13},
		Dial: func(ctx context.Context, _ string, tlsConfig *tls.Config, config *quic.Config) (*quic.Conn, error) {
			return quic.DialAddr(ctx, net.JoinHostPort("127.0.0.1", u.Port()), tlsConfig, config)
		},
	}
	defer transport.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.ready.Admin+"/health", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	over, _ := f.ask(f.ready.Admin+"/health", u.Host, u.Hostname(), "")
	if err != nil || res.StatusCode != over || res.ProtoMajor != 3 {
		t.Errorf("HTTP/3 answers %d %q, %v; HTTP/2 answers %d", res.StatusCode, body, err, over)
	}
	if got := f.http3Status(); !strings.HasPrefix(got, "on, UDP 127.0.0.1:"+u.Port()) {
		t.Errorf("the status is %q", got)
	}
	if c := f.checkOf("HTTP/3"); c == nil || !c.OK {
		t.Errorf("the check is %+v", c)
	}
}

func TestHTTP3_Off(t *testing.T) {
	f := newPushFixture(t, func(c *server.Config) { withAdmin(c); c.HTTPS.NoHTTP3 = true })
	if got := f.http3Status(); !strings.HasPrefix(got, "off") {
		t.Errorf("the status is %q", got)
	}
	if c := f.checkOf("HTTP/3"); c != nil {
		t.Errorf("the check is %+v", c)
	}
}

// A taken UDP port costs HTTP/3, and nothing else.
func TestHTTP3_PortInUse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.ListenPacket("udp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := ln.Addr().String()
	ln.Close()
	f := newPushFixture(t, func(c *server.Config) { withAdmin(c); c.HTTPS.Listen = address })
	if warnings := strings.Join(f.ready.Warnings, "\n"); !strings.Contains(warnings, address+" is in use") {
		t.Errorf("the warnings are %q", warnings)
	}
	if got := f.http3Status(); !strings.HasPrefix(got, "off: UDP port "+address) {
		t.Errorf("the status is %q", got)
	}
	if c := f.checkOf("HTTP/3"); c == nil || c.OK || !strings.Contains(c.Hint, "--http3=false") {
		t.Errorf("the check is %+v", c)
	}
	if status, _ := f.ask(f.ready.Admin+"/health", adminDomain, adminDomain, ""); status >= 500 {
		t.Errorf("HTTPS answers %d", status)
	}
}
