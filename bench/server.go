package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"strings"

	"github.com/anchor-deploy/anchor/internal/api/client"
)

// server is an `anchor up` under measurement.
type server struct {
	*process
	lab   *lab
	cores string
	args  []string // of up, beside those that every server gets
	data  string
	run   string // its TMPDIR, which contains the sockets to its workers
	port  string // of site traffic on 127.0.0.1
	api   string
	token string
}

// up starts Anchor over a fresh data folder, on the given cores ("" for all).
func (l *lab) up(ctx context.Context, cores string, args ...string) (*server, error) {
	data, err := l.folder("d")
	if err != nil {
		return nil, err
	}
	run, err := l.folder("r")
	if err != nil {
		return nil, err
	}
	s := &server{lab: l, cores: cores, args: args, data: data, run: run}
	return s, s.start(ctx)
}

func (s *server) start(ctx context.Context) error {
	out, in := io.Pipe()
	args := append([]string{"up", "--json", "--data", s.data, "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--node", s.lab.node.Path}, s.args...)
	cmd := exec.CommandContext(ctx, s.lab.binary, args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+s.run, "XDG_RUNTIME_DIR="+s.run)
	cmd.Stdout = in
	var err error
	if s.process, err = launch(s.cores, cmd); err != nil {
		return err
	}
	go func() {
		<-s.ended
		in.CloseWithError(errors.New("it ended"))
	}()
	var ready struct{ URL, API, TokenFile string }
	if err := json.NewDecoder(out).Decode(&ready); err != nil {
		return fmt.Errorf("anchor up did not come up: %w\n%s", err, s.output)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	site, err := url.Parse(strings.Replace(ready.URL, "<project>", "project", 1))
	if err != nil {
		return err
	}
	token, err := os.ReadFile(ready.TokenFile)
	if err != nil {
		return err
	}
	s.port, s.api, s.token = site.Port(), ready.API, strings.TrimSpace(string(token))
	return nil
}

// restart stops Anchor and starts it with the same data.
func (s *server) restart(ctx context.Context) error {
	s.stop()
	return s.start(ctx)
}

func (s *server) client() *client.Client { return client.New(s.api, s.token) }

// site is the address of site traffic; the Host header names the project.
func (s *server) site() string { return "http://127.0.0.1:" + s.port }

// deployed is what `anchor deploy --json` prints.
type deployed struct {
	DeploymentID string
	Status       string
	BytesSent    int64
	FilesSent    int
	FilesSkipped int
	Timings      map[string]int64 // ms by step
}

// deploy runs the real command for the prebuilt app in a folder. api is the server's, unless a
// relay precedes it.
func (s *server) deploy(ctx context.Context, app, project, api string, args ...string) (deployed, error) {
	args = append([]string{"deploy", "--prebuilt", app, "--project", project, "--prod", "--json"}, args...)
	cmd := exec.CommandContext(ctx, s.lab.binary, args...)
	cmd.Env = append(os.Environ(), "ANCHOR_URL="+api, "ANCHOR_TOKEN="+s.token)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var d deployed
	if err := cmd.Run(); err != nil {
		return d, fmt.Errorf("anchor deploy: %w\n%s%s\n%s", err, &out, &errs, s.output)
	}
	if err := json.Unmarshal(out.Bytes(), &d); err != nil {
		return d, fmt.Errorf("read what anchor deploy printed: %w\n%s", err, &out)
	}
	if d.Status != "deployed" {
		return d, fmt.Errorf("the deployment ended as %q", d.Status)
	}
	return d, nil
}

// shop starts Anchor with the storefront live as project "shop", changed by edits before it is deployed.
func (l *lab) shop(ctx context.Context, cores string, edits ...func(app string) error) (*server, error) {
	s, err := l.up(ctx, cores)
	if err != nil {
		return nil, err
	}
	return s, s.deployShop(ctx, edits...)
}

// deployShop makes the storefront live as project "shop". It stops a server to which that fails.
func (s *server) deployShop(ctx context.Context, edits ...func(app string) error) error {
	app, err := s.lab.copyApp()
	for _, edit := range edits {
		if err == nil {
			err = edit(app)
		}
	}
	if err == nil {
		_, err = s.deploy(ctx, app, "shop", s.api)
	}
	if err != nil {
		s.stop()
	}
	return err
}

const shopHost = "shop.localhost"
