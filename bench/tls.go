package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/anchor-deploy/anchor/internal/testport"
)

// tlsLoads are the ways in which browsers and proxies ask over TLS.
var tlsLoads = []struct {
	name    string
	streams int
	// limit is the budget, as a multiple of nginx's throughput for the same processor time, and stretch more than it.
	limit, stretch float64
}{
	{"TLS HTTP/2 m=10", 10, .6, 1},
	{"TLS HTTP/2 m=1", 1, .6, 1},
	{"TLS HTTP/1.1", 0, 1.1, 1.3},
}

// measureTLS serves a small hashed file of the storefront over TLS, one core for the server and another for
// the load.
func measureTLS(ctx context.Context, l *lab) (results []result, err error) {
	assets := filepath.Join(l.storefront, ".open-next", "assets")
	path, length, err := typicalChunk(assets, 6<<10)
	if err != nil {
		return nil, err
	}
	secure, err := testport.Get()
	if err != nil {
		return nil, err
	}
	ours := fmt.Sprintf("127.0.0.1:%d", secure)
	s, err := l.up(ctx, "0", "--https", ours, "--http3=false")
	if err != nil {
		return nil, err
	}
	if err := s.deployShop(ctx); err != nil {
		return nil, err
	}
	defer s.stop()
	peer, theirs, err := l.nginxTLS(ctx, assets, path)
	if err != nil {
		return nil, err
	}
	defer peer.stop()
	if err := sameSecurely(ctx, ours, theirs, path); err != nil {
		return nil, err
	}
	for _, way := range tlsLoads {
		ask := load{tool: h2load, streams: way.streams, cores: "1", connections: staticConnections, length: l.length / 2, host: shopHost}
		a, b := ask, ask
		a.url, b.url = ours+path, theirs+path
		v, err := contest{ours: a, peer: b, oursCPU: s.cpuTime, peerCPU: peer.cpuTime}.run(ctx, l.rounds, l.say)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", way.name, err)
		}
		ratio := median(v.costRatios())
		results = append(results, result{
			what: way.name + ", static asset, one core each",
			ours: fmt.Sprintf("%.0f/s", median(rates(v.ours))), peer: fmt.Sprintf("nginx: %.0f/s", median(rates(v.peer))),
			ratio: times(ratio), budget: fmt.Sprintf("≥ %g × nginx (stretch %g ×), by processor time", way.limit, way.stretch), verdict: judge(ratio >= way.limit),
			how: []string{
				fmt.Sprintf("GET of a hashed file of %s, of the build's the nearest to 6 kB, uncompressed, over TLS 1.3 with AES-128-GCM; %d connections of h2load, %s. "+
					"The server is confined to one core and h2load to another; %d interleaved rounds of %s. nginx: one worker, sendfile, open_file_cache, no access log. "+
					"A request took %.1f µs of Anchor's processor time and %.1f µs of nginx's: the ratio is that of the two.",
					size(length), staticConnections, requestsAtATime(way.streams), l.rounds, ask.length,
					median(costs(v.ours, v.oursBusy)), median(costs(v.peer, v.peerBy))),
				"Rounds by requests: " + v.rounds() + ".",
			},
		})
	}
	return results, nil
}

func requestsAtATime(streams int) string {
	if streams == 0 {
		return "keep-alive"
	}
	return fmt.Sprintf("%d requests at a time on each", streams)
}

// h2load loads a server in one round; url is its address and the path. An answer other than 2xx or 3xx is an
// error.
func h2load(ctx context.Context, l load) (loaded, error) {
	addr, path, err := cutAddress(l.url)
	if err != nil {
		return loaded{}, err
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return loaded{}, err
	}
	args := []string{"-c", l.cores, "h2load", fmt.Sprintf("-c%d", l.connections), fmt.Sprintf("-D%d", max(1, int(l.length.Seconds())))}
	if l.streams > 0 {
		args = append(args, fmt.Sprintf("-m%d", l.streams))
	} else {
		args = append(args, "--h1")
	}
	args = append(args, "--connect-to="+addr, "https://"+net.JoinHostPort(l.host, port)+path)
	out, err := exec.CommandContext(ctx, "taskset", args...).CombinedOutput()
	if err != nil {
		return loaded{}, fmt.Errorf("h2load: %w\n%s", err, out)
	}
	got, err := readH2load(string(out))
	got.length = l.length
	return got, err
}

// cutAddress cuts HOST:PORT/path.
func cutAddress(url string) (addr, path string, err error) {
	for i, c := range url {
		if c == '/' {
			return url[:i], url[i:], nil
		}
	}
	return "", "", fmt.Errorf("%q has no path", url)
}

var (
	h2loadRate   = regexp.MustCompile(`finished in [\d.]+m?s, ([\d.]+) req/s`)
	h2loadFaults = regexp.MustCompile(`, (\d+) failed, (\d+) errored, (\d+) timeout`)
	h2loadStatus = regexp.MustCompile(`status codes: \d+ 2xx, \d+ 3xx, (\d+) 4xx, (\d+) 5xx`)
)

func readH2load(text string) (got loaded, err error) {
	for _, re := range []*regexp.Regexp{h2loadFaults, h2loadStatus} {
		m := re.FindStringSubmatch(text)
		if m == nil {
			return got, fmt.Errorf("h2load printed no result:\n%s", text)
		}
		for _, n := range m[1:] {
			if n != "0" {
				return got, fmt.Errorf("h2load saw failures: %s", m[0])
			}
		}
	}
	rate := h2loadRate.FindStringSubmatch(text)
	if rate == nil {
		return got, fmt.Errorf("h2load printed no rate:\n%s", text)
	}
	got.perSecond, err = strconv.ParseFloat(rate[1], 64)
	return got, err
}

// nginxTLSConf is nginxConf with a TLS listener.
const nginxTLSConf = `daemon off;
master_process off;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log stderr error;
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  open_file_cache max=1000 inactive=60s;
  keepalive_requests 100000000;
  types { application/javascript js; text/css css; }
  client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  ssl_certificate %[3]s;
  ssl_certificate_key %[3]s;
  ssl_protocols TLSv1.3;
  ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
  server {
    listen 127.0.0.1:%[2]d;
    listen 127.0.0.1:%[4]d ssl http2 backlog=4096;
    root %[5]s;
    location /_next/static/ { add_header Cache-Control "public,max-age=31536000,immutable"; }
  }
}
`

// nginxTLS serves a folder on core 0, and returns the address of its TLS listener.
func (l *lab) nginxTLS(ctx context.Context, root, path string) (*process, string, error) {
	secure, err := testport.Get()
	if err != nil {
		return nil, "", err
	}
	p, _, err := l.startPeer(ctx, path, func(dir string, port int) (*exec.Cmd, error) {
		cert, name := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "nginx.conf")
		err := errors.Join(
			writeCertificate(cert),
			os.WriteFile(name, fmt.Appendf(nil, nginxTLSConf, dir, port, cert, secure, absolute(root)), 0o644),
		)
		return exec.CommandContext(ctx, "nginx", "-p", dir, "-c", name), err
	})
	return p, fmt.Sprintf("127.0.0.1:%d", secure), err
}

// writeCertificate writes a certificate on P-256, as Anchor's own CA issues, and its key.
func writeCertificate(file string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{shopHost}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
	return os.WriteFile(file, text, 0o600)
}

// sameSecurely checks that two servers send the same body for a path over HTTP/2. Anchor may still be
// about to issue its certificate.
func sameSecurely(ctx context.Context, ours, theirs, path string) error {
	var bodies [2][]byte
	for i, addr := range []string{ours, theirs} {
		var err error
		for try := 0; try < 50; try++ {
			if bodies[i], err = fetchSecurely(ctx, addr, path); err == nil {
				break
			}
			time.Sleep(200 * time.Millisecond)
		}
		if err != nil {
			return err
		}
	}
	if string(bodies[0]) != string(bodies[1]) {
		return fmt.Errorf("the two answers to %s have %d and %d octets, or differ", path, len(bodies[0]), len(bodies[1]))
	}
	return nil
}

func fetchSecurely(ctx context.Context, addr, path string) ([]byte, error) {
	transport := &http.Transport{
		ForceAttemptHTTP2: true, DisableCompression: true,
		TLSClientConfig: &tls.Config{ServerName: shopHost, InsecureSkipVerify: true}, // certificates that this run has made
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		},
	}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+shopHost+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || res.ProtoMajor != 2) {
		err = fmt.Errorf("%s%s answers %s %d", addr, path, res.Proto, res.StatusCode)
	}
	return body, err
}
