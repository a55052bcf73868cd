// Package hookstest has the hosts of the tests: an ssh server that runs the real git, and a GitHub that
// checks what it is sent.
package hookstest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
)

// SSH serves the repositories below a folder to whoever has one of the keys. It ends with the test.
type SSH struct {
	Addr string // host:port

	t        testing.TB
	root     string
	ctx      context.Context
	listener net.Listener
	running  sync.WaitGroup

	mu      sync.Mutex
	config  *ssh.ServerConfig
	allowed string // marshaled public key
	fetches int
}

// ServeSSH starts an SSH server.
func ServeSSH(t testing.TB, root string) *SSH {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &SSH{t: t, root: root, listener: l, Addr: l.Addr().String()}
	s.NewHostKey()
	ctx, stop := context.WithCancel(context.Background())
	s.ctx = ctx
	t.Cleanup(func() { stop(); l.Close(); s.running.Wait() })
	s.running.Go(s.accept)
	return s
}

// NewHostKey gives the server another key.
func (s *SSH) NewHostKey() {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, k ssh.PublicKey) (*ssh.Permissions, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if string(k.Marshal()) != s.allowed {
			return nil, errors.New("unknown key")
		}
		return &ssh.Permissions{}, nil
	}}
	config.AddHostKey(signer)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.config = config
}

// Allow accepts the key of a line of authorized_keys, and no other.
func (s *SSH) Allow(line string) {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		s.t.Errorf("the deploy key %q: %v", line, err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.allowed = string(key.Marshal())
}

// Fetches returns how often a repository was read.
func (s *SSH) Fetches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fetches
}

func (s *SSH) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		config := s.config
		s.mu.Unlock()
		s.running.Go(func() { s.serve(conn, config) })
	}
}

func (s *SSH) serve(conn net.Conn, config *ssh.ServerConfig) {
	defer context.AfterFunc(s.ctx, func() { conn.Close() })()
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		conn.Close()
		return
	}
	defer conn.Close()
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		if offered.ChannelType() != "session" {
			_ = offered.Reject(ssh.UnknownChannelType, "only sessions")
			continue
		}
		channel, requests, err := offered.Accept()
		if err != nil {
			return
		}
		s.running.Go(func() { s.session(channel, requests) })
	}
}

// session runs one git-upload-pack.
func (s *SSH) session(channel ssh.Channel, requests <-chan *ssh.Request) {
	defer channel.Close()
	for r := range requests {
		if r.Type != "exec" {
			_ = r.Reply(r.Type == "env", nil)
			continue
		}
		var command struct{ Line string }
		if err := ssh.Unmarshal(r.Payload, &command); err != nil {
			return
		}
		_ = r.Reply(true, nil)
		status := struct{ Code uint32 }{s.run(channel, command.Line)}
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(status))
		return
	}
}

func (s *SSH) run(channel ssh.Channel, line string) uint32 {
	path, found := strings.CutPrefix(line, "git-upload-pack '")
	path = strings.Trim(path, "'/")
	if !found || !filepath.IsLocal(path) {
		_, _ = io.WriteString(channel.Stderr(), "only git-upload-pack\n")
		return 1
	}
	s.mu.Lock()
	s.fetches++
	s.mu.Unlock()
	cmd := exec.CommandContext(s.ctx, "git", "upload-pack", filepath.Join(s.root, path))
	cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
	in, err := cmd.StdinPipe()
	if err != nil {
		return 1
	}
	s.running.Go(func() { _, _ = io.Copy(in, channel); in.Close() })
	if err := cmd.Run(); err != nil {
		return 128
	}
	return 0
}
