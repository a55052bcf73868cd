package dnscheck

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// ednsSize is what fits into one unfragmented packet (DNS flag day 2020).
const ednsSize = 1232

// server is a DNS server with its addresses, host:port, in the order to try.
type server struct {
	name  string
	addrs []string
}

// query is one question to one server.
type query struct {
	name     string // canonical, with the final dot
	typ      uint16
	recurse  bool // RD: for resolvers only
	unsigned bool // CD: give the answer although DNSSEC condemns it
}

func (q query) buildMessage(edns bool) *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(q.name, q.typ)
	m.RecursionDesired, m.CheckingDisabled = q.recurse, q.unsigned
	if edns {
		m.SetEdns0(ednsSize, false)
	}
	return m
}

// askServer sends q to the addresses of srv until one answers.
func (c *Checker) askServer(ctx context.Context, srv server, q query) (*dns.Msg, error) {
	if len(srv.addrs) == 0 {
		return nil, fmt.Errorf("%s has no address", displayName(srv.name))
	}
	var failed error
	for _, addr := range srv.addrs {
		reply, err := c.askAddress(ctx, addr, q)
		if err == nil {
			return reply, nil
		}
		failed = errors.Join(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, failed
}

// askAddress asks by UDP, twice because packets get lost, and by TCP when the answer is
// truncated or UDP does not get through. Servers from before EDNS are asked again without it
// (RFC 6891 section 7).
func (c *Checker) askAddress(ctx context.Context, addr string, q query) (*dns.Msg, error) {
	m := q.buildMessage(true)
	var reply *dns.Msg
	var err error
	for _, network := range []string{"udp", "udp", "tcp"} {
		reply, err = c.exchangeOnce(ctx, network, addr, m)
		if err == nil && (reply.Rcode == dns.RcodeFormatError || reply.Rcode == dns.RcodeNotImplemented) && m.IsEdns0() != nil {
			m = q.buildMessage(false)
			reply, err = c.exchangeOnce(ctx, network, addr, m)
		}
		if err == nil && reply.Truncated && network == "udp" {
			return c.exchangeOnce(ctx, "tcp", addr, m)
		}
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	return reply, err
}

// exchangeOnce is one question and its answer. It ends with ctx.
func (c *Checker) exchangeOnce(ctx context.Context, network, addr string, m *dns.Msg) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	raw, err := c.dial(ctx, network, addr)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", addr, err)
	}
	defer raw.Close()
	defer context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })()
	conn := &dns.Conn{Conn: raw, UDPSize: ednsSize}
	if err := conn.WriteMsg(m); err != nil {
		return nil, fmt.Errorf("ask %s: %w", addr, err)
	}
	for {
		reply, err := conn.ReadMsg()
		if err != nil && network == "udp" && ctx.Err() == nil && !errors.Is(err, net.ErrClosed) && !isBroken(err) {
			continue // a forged or damaged packet does not end the wait
		}
		if err != nil {
			return nil, fmt.Errorf("ask %s: %w", addr, err)
		}
		if isAnswerTo(reply, m) {
			return reply, nil
		}
		if network != "udp" {
			return nil, fmt.Errorf("ask %s: the answer is to another question", addr)
		}
	}
}

// isBroken reports whether err is an error of the connection and not of the packet.
func isBroken(err error) bool {
	var ne net.Error
	return errors.As(err, &ne)
}

// isAnswerTo reports whether reply belongs to m, so that stray packets are ignored.
func isAnswerTo(reply, m *dns.Msg) bool {
	if !reply.Response || reply.Id != m.Id {
		return false
	}
	if len(reply.Question) == 0 { // FORMERR and NOTIMP may come without
		return reply.Rcode != dns.RcodeSuccess && reply.Rcode != dns.RcodeNameError
	}
	q, a := m.Question[0], reply.Question[0]
	return strings.EqualFold(q.Name, a.Name) && q.Qtype == a.Qtype && q.Qclass == a.Qclass
}

// displayName is a name as people write it.
func displayName(name string) string {
	if name == "." {
		return "the root"
	}
	return strings.TrimSuffix(name, ".")
}
