package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/worker"
	"github.com/anchor-deploy/anchor/internal/testport"
)

// nextStart runs the same build as one standalone Next.js process, with public and
// static files beside it as Next.js's documentation of output: "standalone" says.
func (l *lab) nextStart(ctx context.Context, cores string, node worker.Node) (*process, string, error) {
	dir, err := l.folder("next")
	if err != nil {
		return nil, "", err
	}
	built := filepath.Join(l.storefront, ".next")
	for from, to := range map[string]string{
		filepath.Join(built, "standalone"):    dir,
		filepath.Join(built, "static"):        filepath.Join(dir, ".next", "static"),
		filepath.Join(l.storefront, "public"): filepath.Join(dir, "public"),
	} {
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			return nil, "", fmt.Errorf("lay out the standalone build: %w", err)
		}
	}
	port, err := testport.Get()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.CommandContext(ctx, node.Path, "server.js")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NODE_ENV=production", "HOSTNAME=127.0.0.1", fmt.Sprintf("PORT=%d", port))
	p, err := launch(cores, cmd)
	if err != nil {
		return nil, "", err
	}
	base := fmt.Sprintf("http://127.0.0.1:%d", port)
	if err := awaitAnswer(ctx, p, base+"/dynamic"); err != nil {
		p.stop()
		return nil, "", err
	}
	return p, base, nil
}

// awaitAnswer repeats a request until the server answers with 200.
func awaitAnswer(ctx context.Context, p *process, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		status, _, err := fetch(ctx, url, shopHost)
		if err == nil && status == 200 {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended before it answered:\n%s", p.cmd.Args[0], p.output)
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer (%d, %w):\n%s", url, status, err, p.output)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
