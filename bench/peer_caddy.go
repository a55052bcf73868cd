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

// caddyfileTLS serves the same files over TLS, and over HTTP/3, too.
const caddyfileTLS = caddyfile + `
https://%[3]s:%[4]d {
	bind 127.0.0.1
	tls %[5]s/cert.pem %[5]s/key.pem
	root * %[2]s
	file_server
}
`

// caddy serves root on core 0, and returns once it has answered the path.
func (l *lab) caddy(ctx context.Context, root, path string) (*process, string, error) {
	return l.startCaddy(ctx, caddyfile, root, path)
}

// caddyTLS serves root on core 0, over TLS too, and returns the port of that.
func (l *lab) caddyTLS(ctx context.Context, root, path, certificates string) (*process, int, error) {
	secure, err := testport.Get()
	if err != nil {
		return nil, 0, err
	}
	p, _, err := l.startCaddy(ctx, caddyfileTLS, root, path, shopHost, secure, certificates)
	if err != nil {
		return nil, 0, err
	}
	return p, secure, awaitTLS(ctx, p, secure)
}

// startCaddy starts Caddy with a configuration that has places for its port, for what it serves, and for others.
func (l *lab) startCaddy(ctx context.Context, conf, root, path string, others ...any) (*process, string, error) {
	return l.startPeer(ctx, path, func(dir string, port int) (*exec.Cmd, error) {
		file := filepath.Join(dir, "Caddyfile")
		err := os.WriteFile(file, fmt.Appendf(nil, conf, append([]any{port, absolute(root)}, others...)...), 0o644)
		return exec.CommandContext(ctx, "caddy", "run", "--config", file, "--adapter", "caddyfile"), err
	})
}
