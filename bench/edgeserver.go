package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/edge"
	"github.com/anchor-deploy/anchor/internal/local/edge/asset"
	"github.com/anchor-deploy/anchor/internal/testport"
)

// edgeVariable makes this program serve a folder by Anchor's edge alone, over TLS: `anchor up` has
// certificates only for domains that it has verified. Its value is folder, port, and folder of the certificate.
const edgeVariable = "ANCHOR_BENCH_EDGE"

// certificate is a self-signed certificate for shopHost and its key, as files.
type certificate struct{ cert, key string }

func certificateIn(dir string) certificate {
	return certificate{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
}

// makeCertificate writes a certificate with a key on P-256, as Let's Encrypt's are.
func (l *lab) makeCertificate() (dir string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: shopHost}, DNSNames: []string{shopHost},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	made, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return "", err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	if dir, err = l.folder("tls"); err != nil {
		return "", err
	}
	c := certificateIn(dir)
	if err := os.WriteFile(c.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made}), 0o644); err != nil {
		return "", err
	}
	return dir, os.WriteFile(c.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600)
}

// edgeServer starts this program as an edge on core 0, and returns its port.
func (l *lab) edgeServer(ctx context.Context, assets, certificates string) (*process, int, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, 0, err
	}
	port, err := testport.Get()
	if err != nil {
		return nil, 0, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s\n%d\n%s", edgeVariable, absolute(assets), port, certificates))
	p, err := launch("0", cmd)
	if err != nil {
		return nil, 0, err
	}
	return p, port, awaitTLS(ctx, p, port)
}

// awaitTLS waits until a server listens on a port.
func awaitTLS(ctx context.Context, p *process, port int) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return c.Close()
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended before it answered:\n%s", p.cmd.Args[0], p.output)
		case <-ctx.Done():
			p.stop()
			return fmt.Errorf("port %d does not answer: %w\n%s", port, err, p.output)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// serveEdge serves the files of root over HTTP/1.1, HTTP/2 and HTTP/3 until the process ends.
func serveEdge(root string, port int, certificates string) error {
	c := certificateIn(certificates)
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return err
	}
	files, err := listFiles(root)
	if err != nil {
		return err
	}
	variants, err := os.MkdirTemp("", "anchor-bench-variants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(variants)
	place := asset.Place{Root: root, Variants: variants, Memory: asset.NewMemory(64<<20, 1<<20)}
	index, err := asset.Build(context.Background(), place, asset.BuildOptions{ModTime: time.Now()}, files)
	if err != nil {
		return err
	}
	e := edge.New(edge.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }})
	e.Publish(edge.NewTable(map[string]*edge.Site{shopHost: {ID: "bench", Assets: index, Default: http.NotFoundHandler()}}))
	address := fmt.Sprintf("127.0.0.1:%d", port)
	datagrams, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	stream, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	failed := make(chan error, 2)
	go func() { failed <- e.ServeQUIC(datagrams) }()
	go func() { failed <- e.ServeTLS(stream) }()
	return <-failed
}

// listFiles returns the files of a folder with their digests, as an artifact's manifest does.
func listFiles(root string) (files []asset.File, err error) {
	err = filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		sum := sha256.Sum256(text)
		files = append(files, asset.File{Path: filepath.ToSlash(rel), Digest: hex.EncodeToString(sum[:]), Size: int64(len(text))})
		return err
	})
	return files, err
}
