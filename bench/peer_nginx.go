package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/anchor-deploy/anchor/internal/testport"
)

// nginxConf is tuned as its documentation suggests for static files. It is one process, so that
// its use of the core can be read from it.
const nginxConf = `daemon off;
master_process off;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  open_file_cache max=1000 inactive=60s;
  keepalive_requests 100000000;
  types { application/javascript js; text/css css; }
  client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  server {
    listen 127.0.0.1:%[2]d backlog=4096;
    root %[3]s;
    location /_next/static/ { add_header Cache-Control "public,max-age=31536000,immutable"; }
  }
}
`

// nginx serves a folder on core 0, and returns once it has answered the path.
func (l *lab) nginx(ctx context.Context, root, path string) (*process, string, error) {
	return l.startNginx(ctx, nginxConf, absolute(root), path)
}

// startNginx starts nginx with a configuration that has places for its folder, its port and what it serves.
func (l *lab) startNginx(ctx context.Context, conf, serves, path string) (*process, string, error) {
	return l.startPeer(ctx, path, func(dir string, port int) (*exec.Cmd, error) {
		name := filepath.Join(dir, "nginx.conf")
		err := os.WriteFile(name, fmt.Appendf(nil, conf, dir, port, serves), 0o644)
		return exec.CommandContext(ctx, "nginx", "-p", dir, "-c", name), err
	})
}

// startPeer starts a peer on core 0, and returns once it has answered the path.
func (l *lab) startPeer(ctx context.Context, path string, command func(dir string, port int) (*exec.Cmd, error)) (*process, string, error) {
	dir, err := l.folder("peer")
	if err != nil {
		return nil, "", err
	}
	port, err := testport.Get()
	if err != nil {
		return nil, "", err
	}
	cmd, err := command(dir, port)
	if err != nil {
		return nil, "", err
	}
	p, err := launch("0", cmd)
	if err != nil {
		return nil, "", err
	}
	base := fmt.Sprintf("http://127.0.0.1:%d", port)
	if err := awaitAnswer(ctx, p, base+path); err != nil {
		p.stop()
		return nil, "", err
	}
	return p, base, nil
}
