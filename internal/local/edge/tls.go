package edge

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// protocolACME is the ALPN protocol of TLS-ALPN-01 (RFC 8737, section 6.2). A connection that
// negotiates it is closed after the handshake, which is the whole proof.
const protocolACME = "acme-tls/1"

const protocolHTTP2 = "h2"

// TLSConfig returns the edge's TLS: 1.2 and up, forward secrecy and AEAD only (RFC 9325, section
// 4.2), HTTP/2 and HTTP/1.1, and the ACME challenge. Session tickets resume sessions; crypto/tls
// creates a new ticket key every day and drops it after a week.
//
// When get returns nil without an error the handshake ends with the alert unrecognized_name (RFC
// 6066, section 3).
func TLSConfig(get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	config := &tls.Config{
		GetCertificate: get,
		MinVersion:     tls.VersionTLS12,
		CipherSuites: []uint16{ // of TLS 1.2; those of 1.3 are all good
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		NextProtos: []string{protocolHTTP2, "http/1.1", protocolACME},
	}
	resumeUnderOneName(config)
	return config
}

// resumeUnderOneName puts the server name into session tickets. A session is never resumed under
// another name, which may belong to somebody else's site: then the handshake is a full one (RFC
// 6066, section 3; RFC 8446, section 4.6.1).
func resumeUnderOneName(config *tls.Config) {
	tickets := config.Clone() // its keys are made and renewed by crypto/tls
	config.WrapSession = func(c tls.ConnectionState, s *tls.SessionState) ([]byte, error) {
		s.Extra = append(s.Extra, []byte(ticketName+c.ServerName))
		return tickets.EncryptTicket(c, s)
	}
	config.UnwrapSession = func(ticket []byte, c tls.ConnectionState) (*tls.SessionState, error) {
		s, err := tickets.DecryptTicket(ticket, c)
		if err != nil || s == nil {
			return nil, err
		}
		for _, extra := range s.Extra {
			if name, ours := strings.CutPrefix(string(extra), ticketName); ours && name == c.ServerName {
				return s, nil
			}
		}
		return nil, nil
	}
}

const ticketName = "server name: "

// errNoTLS reports that ServeTLS was called on an Edge that has no certificates.
var errNoTLS = errors.New("edge: ServeTLS needs Config.GetCertificate")

// ServeTLS is Serve for TLS connections, with HTTP/2 for clients that know it. It needs
// Config.GetCertificate.
func (e *Edge) ServeTLS(ln net.Listener) error {
	if e.server.TLSConfig == nil {
		return errNoTLS
	}
	secure := listenTLS(e.gateListener(ln), e)
	var others sync.WaitGroup
	others.Go(func() {
		if err := e.http2.Serve(http2Listener{secure}); !errors.Is(err, http.ErrServerClosed) {
			secure.cancel(err)
		}
	})
	err := e.server.Serve(secure)
	others.Wait()
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve sites over TLS on %s: %w", ln.Addr(), err)
	}
	return nil
}

// pacedStream is pacedConn for one stream of an HTTP/2 connection: a client may read from others
// and not from this one, with its window shut and its handler waiting. The time runs only during a
// write, so a quiet event stream stays open. A late stream is reset; the connection stays open.
type pacedStream struct {
	http.ResponseWriter
	pace  Pace
	late  *time.Timer
	wrote bool

	mu    sync.Mutex
	ended bool // the handler has returned: net/http would panic
}

func newPacedStream(w http.ResponseWriter, pace Pace) *pacedStream {
	s := &pacedStream{ResponseWriter: w, pace: pace}
	s.late = time.AfterFunc(time.Hour, s.reset)
	s.late.Stop()
	return s
}

// reset resets the stream and wakes its writer. A timer that has fired may call it at any time.
func (s *pacedStream) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		_ = http.NewResponseController(s.ResponseWriter).SetWriteDeadline(time.Unix(1, 0))
	}
}

// Unwrap lets http.ResponseController reach the stream.
func (s *pacedStream) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *pacedStream) Write(p []byte) (int, error) {
	s.wrote = true
	defer s.late.Stop()
	total := 0
	for {
		part := p[total:min(int64(len(p)), int64(total)+max(s.pace.least(), 1))]
		s.late.Reset(s.pace.Grace)
		n, err := s.ResponseWriter.Write(part)
		total += n
		if err != nil || total == len(p) {
			return total, err
		}
	}
}

// FlushError is what http.ResponseController calls.
func (s *pacedStream) FlushError() error {
	s.late.Reset(s.pace.Grace)
	defer s.late.Stop()
	return http.NewResponseController(s.ResponseWriter).Flush()
}

// endPace sets the time limit for what net/http sends after the handler has returned.
func (s *pacedStream) endPace() {
	s.late.Stop()
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	if s.wrote {
		_ = http.NewResponseController(s.ResponseWriter).SetWriteDeadline(time.Now().Add(s.pace.Grace))
	}
}
