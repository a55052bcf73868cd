package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/anchor-deploy/anchor/internal/testport"
)

// caddyfile serves files without TLS.
const caddyfile = `{
	admin off
	auto_https off
}
http://:%[1]d {
	bind 127.0.0.1
	root * %[2]s
	file_server
}
`

// caddy serves root on core 0.
func (l *lab) caddy(ctx context.Context, root, path string) (*process, string, error) {
	return l.startPeer(ctx, path, func(dir string, port int) (*exec.Cmd, error) {
		file := filepath.Join(dir, "Caddyfile")
		err := os.WriteFile(file, fmt.Appendf(nil, caddyfile, port, absolute(root)), 0o644)
		return exec.CommandContext(ctx, "caddy", "run", "--config", file, "--adapter", "caddyfile"), err
	})
}

// caddyfileTLS serves files over TLS, and over HTTP/3, too.
const caddyfileTLS = `{
	admin off
	auto_https off
}
https://%[1]s:%[2]d {
	bind 127.0.0.1
	tls %[4]s/cert.pem %[4]s/key.pem
	root * %[3]s
	file_server
}
`

// startCaddyTLS serves assets on core 0, over TLS too, and returns its port.
func (l *lab) startCaddyTLS(ctx context.Context, assets, certificates string) (*process, int, error) {
	dir, err := l.folder("peer")
	if err != nil {
		return nil, 0, err
	}
	port, err := testport.Get()
	if err != nil {
		return nil, 0, err
	}
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, fmt.Appendf(nil, caddyfileTLS, shopHost, port, absolute(assets), certificates), 0o644); err != nil {
		return nil, 0, err
	}
	p, err := launch("0", exec.CommandContext(ctx, "caddy", "run", "--config", file, "--adapter", "caddyfile"))
	if err != nil {
		return nil, 0, err
	}
	return p, port, awaitTLS(ctx, p, port)
}
