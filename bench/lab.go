package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/anchor-deploy/anchor/internal/local/nodejs"
	"github.com/anchor-deploy/anchor/internal/local/sites"
	"github.com/anchor-deploy/anchor/internal/local/worker"
)

// lab is what every measurement needs: the build under test, the tools and a folder.
type lab struct {
	options
	node  worker.Node // what Anchor installs by default; Anchor and its peers run on it
	path  worker.Node // the machine's own, on which `next start` runs where nobody installs another
	dir   string      // removed at the end; workers of other users can pass through it
	facts facts

	isolation sites.Isolation // as workers of the server have it here
}

func newLab(ctx context.Context, o options) (*lab, error) {
	if err := requireTools("wrk", "h2load", "nginx", "varnishd", "caddy", "taskset"); err != nil {
		return nil, err
	}
	if runtime.NumCPU() < 2 {
		return nil, errors.New("the budgets are for two cores and this machine has one: run it on a larger one")
	}
	l := &lab{options: o}
	var err error
	if l.binary, err = filepath.Abs(o.binary); err != nil {
		return nil, err
	}
	for file, remedy := range map[string]string{
		l.binary: "run `make build`",
		filepath.Join(o.storefront, ".open-next", "open-next.output.json"): "run `make examples`",
		filepath.Join(o.storefront, ".next", "standalone", "server.js"):    "run `make examples`",
	} {
		if _, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("there is nothing to measure, %s: %w", remedy, err)
		}
	}
	if l.dir, err = os.MkdirTemp("", "anchor-bench-"); err != nil {
		return nil, err
	}
	if err := errors.Join(os.Chmod(l.dir, 0o711), l.installNode(ctx)); err != nil {
		return nil, errors.Join(err, l.close())
	}
	l.isolation = sites.FindIsolation(ctx, l.node, l.dir)
	l.facts, err = gatherFacts(ctx, l)
	return l, err
}

func (l *lab) installNode(ctx context.Context) (err error) {
	if l.path, err = worker.FindNode(ctx, ""); err != nil {
		return err
	}
	preferred, err := nodejs.ParseRange(nodejs.Preferred)
	if err != nil {
		return err
	}
	store := nodejs.Store{Dir: filepath.Join(l.dir, "node"), Registry: nodejs.NPM()}
	l.node, err = store.Install(ctx, preferred)
	return err
}

func (l *lab) close() error { return errors.Join(os.RemoveAll(l.dir), os.RemoveAll(variants)) }

func (l *lab) say(format string, args ...any) { fmt.Fprintf(os.Stderr, "· "+format+"\n", args...) }

// folder creates a new empty folder in the lab's.
func (l *lab) folder(name string) (string, error) {
	dir, err := os.MkdirTemp(l.dir, name)
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o711)
}

func requireTools(names ...string) error {
	var missing []string
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			missing = append(missing, name)
		}
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("%s not found: run scripts/install-bench-peers, or apt-get install nginx varnish wrk caddy nghttp2-client util-linux",
		strings.Join(missing, ", "))
}
