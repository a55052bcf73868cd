package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// proxyCacheConf is nginx as a cache in front of an app: one process, files below a folder in memory
// or on disk as its documentation suggests, the descriptors of what is asked for kept open.
const proxyCacheConf = `daemon off;
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
  client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  proxy_cache_path %[1]s/cache keys_zone=c:8m use_temp_path=off;
  server {
    listen 127.0.0.1:%[2]d backlog=4096;
    location / {
      proxy_pass %[3]s;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_cache c;
      proxy_cache_lock on;
    }
  }
}
`

const varnishVCL = `vcl 4.1;
backend default { .host = "%s"; .port = "%s"; }
`

// nginxCache caches what origin answers, on core 0, and returns once it has answered the path.
func (l *lab) nginxCache(ctx context.Context, origin, path string) (*process, string, error) {
	return l.startNginx(ctx, proxyCacheConf, origin, path)
}

// varnish does the same with Varnish, which keeps answers in memory.
func (l *lab) varnish(ctx context.Context, origin, path string) (*process, string, error) {
	return l.startPeer(ctx, path, func(dir string, port int) (*exec.Cmd, error) {
		host, backend, _ := strings.Cut(strings.TrimPrefix(origin, "http://"), ":")
		vcl := filepath.Join(dir, "vcl")
		err := os.WriteFile(vcl, fmt.Appendf(nil, varnishVCL, host, backend), 0o644)
		return exec.CommandContext(ctx, "varnishd", "-F", "-n", filepath.Join(dir, "n"), "-a", fmt.Sprintf("127.0.0.1:%d", port),
			"-f", vcl, "-j", "none", "-s", "malloc,128m", "-p", "thread_pool_min=50"), err
	})
}
