package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"sync/atomic"
)

// relay passes TCP connections on to a server and counts what clients send.
type relay struct {
	ln     net.Listener
	target string
	sent   atomic.Int64 // octets from clients
}

func newRelay(ctx context.Context, target string) (*relay, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &relay{ln: ln, target: u.Host}
	go r.accept(ctx)
	return r, nil
}

func (r *relay) url() string { return "http://" + r.ln.Addr().String() }

func (r *relay) close() { r.ln.Close() }

func (r *relay) accept(ctx context.Context) {
	for {
		client, err := r.ln.Accept()
		if err != nil {
			return
		}
		go r.pass(ctx, client)
	}
}

func (r *relay) pass(ctx context.Context, client net.Conn) {
	defer client.Close()
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.target)
	if err != nil {
		return // the client's connection ends and fails
	}
	defer server.Close()
	go func() {
		_, err := io.Copy(server, io.TeeReader(client, counter{&r.sent}))
		if tcp, ok := server.(*net.TCPConn); ok && !errors.Is(err, net.ErrClosed) {
			_ = tcp.CloseWrite() // the server finishes its answer
		}
	}()
	_, _ = io.Copy(client, server)
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}
