package edge

import (
	"crypto/tls"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"time"

	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/anchor-deploy/anchor/internal/local/edge/accesslog"
)

// Config holds the limits of an Edge. A zero field takes the default that its comment names.
type Config struct {
	// TrustedProxies are the peers whose X-Forwarded-For, -Proto and -Port are believed. Default:
	// none.
	TrustedProxies []netip.Prefix

	// HeaderTimeout is how long a client may take to send its request's headers. Default: 10 s.
	HeaderTimeout time.Duration
	// IdleTimeout is how long a connection may wait for its next request. Default: 75 s.
	IdleTimeout time.Duration
	// MaxHeaderBytes limits request line and headers together; beyond it 431. Default: 32 KiB.
	// net/http adds 4 KiB.
	MaxHeaderBytes int
	// MaxURLBytes limits the request target; beyond it 414. Default: 8192, as CloudFront.
	MaxURLBytes int
	// MaxBodyBytes limits a request body; beyond it 413. Default: no limit.
	MaxBodyBytes int64

	// MaxConcurrent is how many requests run at a time; beyond it 503 with Retry-After. Default:
	// 8192.
	MaxConcurrent int64
	// MaxPerSite is MaxConcurrent for one site, so that one site cannot starve the others. Default:
	// 4096.
	MaxPerSite int64

	// MaxConnections is how many connections are open at a time; one beyond it is closed at once.
	// Default: half of the file descriptors that the process may open, less a reserve for the API,
	// the workers and the records; at most 16384.
	MaxConnections int
	// MaxConnectionsPerClient is MaxConnections for one IPv4 address or IPv6 /64; trusted proxies
	// are exempt. Default: a sixteenth of MaxConnections, at least 64.
	MaxConnectionsPerClient int

	// TunnelIdle is how long a WebSocket connection stays open while nothing moves on it in either
	// direction. Default: 5 min.
	TunnelIdle time.Duration
	// MaxTunnelsPerProject is how many WebSocket connections a project has at a time, handshakes
	// included; beyond it 503. Default: 512.
	MaxTunnelsPerProject int64

	// Upload is the slowest rate at which a client may send a body. Default: 20 s and 1 KiB/s. Time
	// during which the function does not read is not counted.
	Upload Pace
	// Download is the slowest rate at which a client may read a response. Default: 30 s and 1
	// KiB/s. The time runs only during a write, so a quiet event stream stays open. A client that
	// reads less than BytesPerSecond in any Grace of a write is cut off: one that stalls is cut off
	// after Grace, however much there is to send.
	Download Pace

	// GetCertificate chooses the certificate of a TLS connection, see TLSConfig. Default: none, and
	// no ServeTLS.
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// QUICResetKey lets an Edge that follows one that was killed tell clients of HTTP/3 at once that
	// their connections are lost (RFC 9000, section 10.3). It is secret, and the same for both.
	// Default: none; clients then notice by a timeout.
	QUICResetKey *[32]byte
	// HTTPSPort is the port at which clients find ServeTLS, for redirects to it. Default: 443.
	HTTPSPort string
	// Wrap wraps the edge on all listeners; ACME challenges are answered there. It does not see
	// requests for static files in memory and stored pages. Default: none.
	Wrap func(http.Handler) http.Handler
	// Reserved is a host that no site has, whatever the tables say: Wrap answers for it. It is in
	// lower case. Default: none.
	Reserved string

	// AccessLog receives a line for each request; nil for none.
	AccessLog *accesslog.Log
	// Tracer makes a span of each request that a function answers; nil for none. Whether a client asks for its trace to be
	// sampled counts only from a trusted proxy.
	Tracer oteltrace.Tracer
	// ServerTiming adds a Server-Timing field to the answers of functions, for all visitors.
	ServerTiming bool

	// Log receives what the operator should know. Default: slog.Default().
	Log *slog.Logger
}

// Pace is a lowest rate of progress: moving n octets may take Grace plus n/BytesPerSecond.
type Pace struct {
	Grace          time.Duration
	BytesPerSecond int64
}

// allowanceFor returns the time for octets. It uses floating point: octets times nanoseconds overflows
// an int64 at 9 GB.
func (p Pace) allowanceFor(octets int64) time.Duration {
	return p.Grace + time.Duration(float64(octets)/float64(p.BytesPerSecond)*float64(time.Second))
}

// least returns how many octets have to move within Grace.
func (p Pace) least() int64 {
	return int64(min(p.Grace.Seconds()*float64(p.BytesPerSecond), math.MaxInt64/2))
}

func (p Pace) withDefaults(def Pace) Pace {
	if p.Grace <= 0 {
		p.Grace = def.Grace
	}
	if p.BytesPerSecond <= 0 {
		p.BytesPerSecond = def.BytesPerSecond
	}
	return p
}

func (c Config) withDefaults() Config {
	c.HeaderTimeout = positiveOr(c.HeaderTimeout, 10*time.Second)
	c.IdleTimeout = positiveOr(c.IdleTimeout, 75*time.Second)
	c.MaxHeaderBytes = positiveOr(c.MaxHeaderBytes, 32<<10)
	c.MaxURLBytes = positiveOr(c.MaxURLBytes, 8192)
	c.MaxConcurrent = positiveOr(c.MaxConcurrent, 8192)
	c.MaxPerSite = positiveOr(c.MaxPerSite, 4096)
	c.MaxConnections = positiveOr(c.MaxConnections, defaultConnections())
	c.MaxConnectionsPerClient = min(positiveOr(c.MaxConnectionsPerClient, max(c.MaxConnections/16, 64)), c.MaxConnections)
	c.TunnelIdle = positiveOr(c.TunnelIdle, 5*time.Minute)
	c.MaxTunnelsPerProject = positiveOr(c.MaxTunnelsPerProject, 512)
	c.Upload = c.Upload.withDefaults(Pace{20 * time.Second, 1 << 10})
	c.Download = c.Download.withDefaults(Pace{30 * time.Second, 1 << 10})
	if c.HTTPSPort == "" {
		c.HTTPSPort = "443"
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

func positiveOr[T int | int64 | time.Duration](v, def T) T {
	if v > 0 {
		return v
	}
	return def
}
