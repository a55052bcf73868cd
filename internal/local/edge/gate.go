package edge

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// gate caps the connections of all listeners together, and those of one client, so that file
// descriptors remain for the API, the workers and the other clients.
type gate struct {
	max, perClient int
	trusts         func(netip.Addr) bool // proxies, which stand for many clients
	log            *slog.Logger

	mu       sync.Mutex
	open     int
	accepted int64 // since the start
	clients  map[netip.Addr]int
	refused  refusals
	said     refusals  // the part of refused that was logged
	next     time.Time // when the log may be written to again
}

// refusals counts the connections that were refused, that is, closed at once.
type refusals struct {
	full      int64 // beyond Config.MaxConnections
	perClient int64 // beyond Config.MaxConnectionsPerClient
}

// logRefusals is how often refusals are logged.
const logRefusals = time.Minute

func (e *Edge) newGate() *gate {
	return &gate{
		max: e.cfg.MaxConnections, perClient: e.cfg.MaxConnectionsPerClient, log: e.cfg.Log, trusts: e.trustsAddr,
		clients: map[netip.Addr]int{},
	}
}

const (
	mostConnections   = 16384
	fewestConnections = 64
	// reservedFiles are the file descriptors for everything but clients' connections: the records,
	// logs, the API, and the workers.
	reservedFiles = 256
)

// defaultConnections counts two file descriptors for each connection: its own, and that of the
// static file or the connection to a worker that its request uses.
func defaultConnections() int {
	files := openFiles()
	return int(min(max((files-max(reservedFiles, files/4))/2, fewestConnections), mostConnections))
}

// enterConn takes a place for a connection. The caller calls leave when the connection is closed.
func (g *gate) enterConn(peer net.Addr) (leave func(), ok bool) {
	client, known := clientOf(peer)
	if known && g.trusts(client) {
		known = false
	}
	client = clientNetwork(client)
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.open >= g.max:
		g.refused.full++
	case known && g.clients[client] >= g.perClient:
		g.refused.perClient++
	default:
		g.open++
		g.accepted++
		if known {
			g.clients[client]++
		}
		return sync.OnceFunc(func() { g.connLeft(client, known) }), true
	}
	g.reportRefused(client)
	return nil, false
}

// isCrowded reports whether half of the places are taken, in total or of a client. A client of QUIC must
// then prove its address before it gets another one, since the sender of a datagram may have invented
// it (RFC 9000, section 8.1).
func (g *gate) isCrowded(peer net.Addr) bool {
	client, _ := clientOf(peer)
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open >= g.max/2 || g.clients[clientNetwork(client)] >= g.perClient/2
}

func (g *gate) connLeft(client netip.Addr, known bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open--
	if !known {
		return
	}
	if g.clients[client]--; g.clients[client] == 0 {
		delete(g.clients, client)
	}
}

// reportRefused runs under mu.
func (g *gate) reportRefused(client netip.Addr) {
	if time.Now().Before(g.next) {
		return
	}
	g.next = time.Now().Add(logRefusals)
	g.log.Warn("connections of clients refused; see \"Limits\" in docs/operations.md",
		"too_many", g.refused.full-g.said.full, "too_many_of_one_client", g.refused.perClient-g.said.perClient,
		"limit", g.max, "limit_of_one_client", g.perClient, "last_client", client.String())
	g.said = g.refused
}

func clientOf(peer net.Addr) (netip.Addr, bool) {
	var ip net.IP
	switch peer := peer.(type) {
	case *net.TCPAddr:
		ip = peer.IP
	case *net.UDPAddr:
		ip = peer.IP
	}
	addr, ok := netip.AddrFromSlice(ip)
	return addr.Unmap(), ok
}

// clientNetwork returns what counts as one client: an IPv4 address, or the /64 in which an IPv6 client
// chooses its addresses freely (RFC 4291, section 2.5.1).
func clientNetwork(addr netip.Addr) netip.Addr {
	if !addr.Is6() {
		return addr
	}
	prefix, err := addr.WithZone("").Prefix(64)
	if err != nil {
		return addr
	}
	return prefix.Addr()
}

// gatedListener returns paced connections that have a place in the gate, and closes the others.
type gatedListener struct {
	net.Listener
	gate *gate
	pace Pace
}

func (l gatedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		leave, ok := l.gate.enterConn(c.RemoteAddr())
		if !ok {
			c.Close()
			continue
		}
		return &pacedConn{Conn: c, pace: l.pace, leave: leave}, nil
	}
}
