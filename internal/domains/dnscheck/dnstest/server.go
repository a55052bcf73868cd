// Package dnstest runs DNS servers inside a test: authoritative ones with zones, delegations
// and faults, and caching resolvers.
//
//	s := dnstest.Start(t)
//	s.Set("shop.example.com", "A", 60, "127.0.0.1")
//	// point pebble, certmagic or dnscheck at s.Addr()
//
// A server without zones answers for every name: a name that it does not know does not exist.
// Records, zones and faults can be changed at any time.
package dnstest

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Server is one DNS server on a free port of 127.0.0.1, UDP and TCP alike. It ends
// with its test.
type Server struct {
	t    testing.TB
	addr string

	mu       sync.Mutex
	data     data
	cache    data // what a resolver holds on to, whatever its upstreams say
	upstream []*Server
	fault    Fault
	faults   map[string]Fault
	asked    map[question]int
}

type question struct {
	name string
	typ  uint16
}

// Fault is how a server misbehaves. The zero Fault is a correct server.
type Fault struct {
	Delay            time.Duration // before the answer
	Drop             bool          // no answer at all
	DropUDP          bool          // none by UDP
	Rcode            int           // dns.RcodeServerFailure, …: instead of the answer
	Bogus            bool          // SERVFAIL with the DNSSEC error of RFC 8914, unless CD is set
	Truncate         bool          // over UDP: TC and no records
	NotAuthoritative bool          // without AA
	NoEDNS           bool          // FORMERR, or Rcode, only to clients that send an OPT record
	Stray            bool          // over UDP: a forged packet before the answer
}

// Start runs a server until t ends.
func Start(t testing.TB) *Server {
	t.Helper()
	return start(t, nil)
}

func start(t testing.TB, upstream []*Server) *Server {
	t.Helper()
	s := &Server{t: t, data: newData(), cache: newData(), upstream: upstream, faults: map[string]Fault{}, asked: map[question]int{}}
	packets, stream := listen(t)
	s.addr = stream.Addr().String()
	s.run(&dns.Server{PacketConn: packets})
	s.run(&dns.Server{Listener: stream})
	return s
}

// StartResolver runs a resolver over the given servers. It finds the server that holds a name,
// follows CNAMEs between them, and answers from its cache first (see Cache). Its own records,
// by Set, come last.
func StartResolver(t testing.TB, upstream ...*Server) *Server {
	t.Helper()
	return start(t, upstream)
}

// listen finds a port that is free for both UDP and TCP.
func listen(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	var failed error
	var lc net.ListenConfig
	for range 20 {
		stream, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("dnstest: %v", err)
		}
		packets, err := lc.ListenPacket(t.Context(), "udp", stream.Addr().String())
		if err == nil {
			return packets, stream
		}
		failed = err
		stream.Close()
	}
	t.Fatalf("dnstest: no port is free for both UDP and TCP: %v", failed)
	return nil, nil
}

func (s *Server) run(srv *dns.Server) {
	s.t.Helper()
	ready := make(chan struct{})
	ended := make(chan error, 1)
	srv.Handler = dns.HandlerFunc(s.serve)
	srv.NotifyStartedFunc = func() { close(ready) }
	go func() { ended <- srv.ActivateAndServe() }()
	select {
	case <-ready:
	case err := <-ended:
		s.t.Fatalf("dnstest: %v", err)
	}
	s.t.Cleanup(func() {
		if err := srv.Shutdown(); err != nil {
			s.t.Errorf("dnstest: stop: %v", err)
		}
		if err := <-ended; err != nil {
			s.t.Errorf("dnstest: %v", err)
		}
	})
}

// Addr is the server's host:port.
func (s *Server) Addr() string { return s.addr }

// Set replaces the records of one name and type; without values it removes them. The name may
// be a wildcard. Values are written as in a zone file, TXT values without quotes. NS records of
// a name that is not a Zone here delegate it.
func (s *Server) Set(name, typ string, ttl int, values ...string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.data.set(name, typ, ttl, values); err != nil {
		s.t.Fatalf("dnstest: %v", err)
	}
}

// Zone makes the server authoritative for name, with its SOA and NS records. From the first
// zone on the server refuses all other names.
func (s *Server) Zone(name string, nameservers ...string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.data.zone(name, nameservers); err != nil {
		s.t.Fatalf("dnstest: %v", err)
	}
}

// Cache makes a resolver keep these values for ttl more seconds, whatever its upstreams answer:
// an old answer. Without values it is a cached denial, and with a ttl below 0 the entry is
// removed.
func (s *Server) Cache(name, typ string, ttl int, values ...string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.cache.hold(name, typ, ttl, values); err != nil {
		s.t.Fatalf("dnstest: %v", err)
	}
}

// Misbehave makes the server answer every question with fault.
func (s *Server) Misbehave(fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// MisbehaveAt does so for questions about one name and those below it.
func (s *Server) MisbehaveAt(name string, fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[dns.CanonicalName(name)] = fault
}

// Asked counts the questions for one name and type so far.
func (s *Server) Asked(name, typ string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[question{dns.CanonicalName(name), dns.StringToType[typ]}]
}

// quoted formats TXT values as in a zone file, in strings of 255 octets.
func quoted(values []string) []string {
	all := make([]string, 0, len(values))
	for _, v := range values {
		strs := []string{}
		for part := range slices.Chunk([]byte(v), 255) {
			strs = append(strs, escape(part))
		}
		if len(strs) == 0 {
			strs = append(strs, `""`)
		}
		all = append(all, strings.Join(strs, " "))
	}
	return all
}

// escape is the presentation format of RFC 1035 section 5.1.
func escape(part []byte) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range part {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, "\\%03d", c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
