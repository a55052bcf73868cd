package drains

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/outbound"
	"github.com/anchor-deploy/anchor/internal/retry"
)

const (
	// maxDatagram is how many octets of a message are sent over UDP: what each receiver should take (RFC 5426, section 3.2).
	maxDatagram = 2048
	// facility is local0 (RFC 5424, section 6.2.1).
	facility = 16
	// enterprise marks the structured data (RFC 5424, section 7.2.2). Anchor has no number of its own; this one is for examples (RFC 5612).
	enterprise = "32473"
)

// severities are those of the levels (RFC 5424, section 6.2.1).
var severities = map[string]int{"debug": 7, "info": 6, "warn": 4, "error": 3}

// syslogSender sends messages of RFC 5424: over UDP one in a datagram (RFC 5426), over TCP and TLS with their length before them (RFC 6587,
// section 3.4.1; RFC 5425, section 4.3). The protocol confirms nothing: what was written when a connection broke off may be lost, and
// is written again, so it may also arrive twice.
type syslogSender struct {
	network, address string // network is udp, tcp or tls
	config           *tls.Config
	conn             net.Conn // nil without one
}

func newSyslog(target string) *syslogSender {
	u, err := url.Parse(target)
	if err != nil {
		return &syslogSender{} // prepare has parsed it
	}
	return &syslogSender{network: strings.TrimPrefix(u.Scheme, "syslog+"), address: u.Host, config: &tls.Config{MinVersion: tls.VersionTLS12}}
}

func (s *syslogSender) send(ctx context.Context, events []event) error {
	ctx, cancel := context.WithTimeout(ctx, outbound.Timeout)
	defer cancel()
	if s.isClosed() {
		s.close()
	}
	if s.conn == nil {
		if err := s.connect(ctx); err != nil {
			return retry.Again(err)
		}
	}
	until, _ := ctx.Deadline()
	s.conn.SetWriteDeadline(until)
	stop := context.AfterFunc(ctx, func() { s.conn.SetWriteDeadline(time.Now()) })
	defer stop()
	if err := s.write(events); err != nil {
		s.close()
		return retry.Again(fmt.Errorf("write to the syslog server: %w", err))
	}
	return nil
}

func (s *syslogSender) connect(ctx context.Context) (err error) {
	if s.network == "tls" {
		s.conn, err = (&tls.Dialer{Config: s.config}).DialContext(ctx, "tcp", s.address)
	} else {
		s.conn, err = (&net.Dialer{}).DialContext(ctx, s.network, s.address)
	}
	if err != nil {
		s.conn = nil
	}
	return err
}

// isClosed reports whether the server has ended the connection: a write would still succeed, and be lost.
func (s *syslogSender) isClosed() bool {
	if s.conn == nil || s.network == "udp" {
		return false
	}
	if s.conn.SetReadDeadline(time.Now().Add(time.Millisecond)) != nil {
		return true
	}
	_, err := s.conn.Read(make([]byte, 1))
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

func (s *syslogSender) write(events []event) error {
	if s.network == "udp" {
		for i := range events {
			if _, err := s.conn.Write(datagram(events[i].syslog())); err != nil {
				return err
			}
		}
		return nil
	}
	var all bytes.Buffer
	for i := range events {
		m := events[i].syslog()
		fmt.Fprintf(&all, "%d %s", len(m), m)
	}
	_, err := io.Copy(s.conn, &all)
	return err
}

// datagram shortens a message that may be too long.
func datagram(m []byte) []byte {
	if len(m) <= maxDatagram {
		return m
	}
	return bytes.ToValidUTF8(m[:maxDatagram], nil)
}

func (s *syslogSender) close() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

// host is the name of this machine as syslog has it.
var host = func() string {
	name, _ := os.Hostname()
	return word(name, 255)
}()

// syslog encodes a message (RFC 5424, section 6).
func (e *event) syslog() []byte {
	var b bytes.Buffer
	app := e.Project
	if app == "" {
		app = "anchor"
	}
	fmt.Fprintf(&b, "<%d>1 %s %s %s %s %s [anchor@%s", facility*8+severities[e.Level], e.Time.UTC().Format("2006-01-02T15:04:05.000000Z"),
		host, word(app, 48), word(e.Function, 128), e.Source, enterprise)
	for _, p := range [][2]string{{"level", e.Level}, {"deployment", e.Deployment}, {"requestId", e.RequestID}, {"traceId", e.TraceID}, {"path", e.path()}} {
		if p[1] != "" {
			fmt.Fprintf(&b, ` %s="%s"`, p[0], parameter.Replace(strings.ToValidUTF8(p[1], "")))
		}
	}
	b.WriteString("] ")
	b.WriteString(e.Text)
	return b.Bytes()
}

func (e *event) path() string {
	path, _ := e.Attributes["url.path"].(string)
	return path
}

// parameter escapes the value of a parameter (RFC 5424, section 6.3.3).
var parameter = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`)

// word makes a field of the header: printable US-ASCII without spaces, "-" when there is nothing.
func word(s string, longest int) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, s)
	if s == "" {
		return "-"
	}
	return s[:min(len(s), longest)]
}
