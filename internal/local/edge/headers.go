package edge

import (
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"strconv"
	"strings"
)

// hopByHop are the headers of one connection (RFC 9110, section 7.6.1, and older ones that proxies
// know).
var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// dropHopByHop removes them, and the headers that Connection names. It runs before the edge adds
// headers: otherwise "Connection: x-forwarded-host" would make the next hop drop them.
func dropHopByHop(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = textproto.TrimString(name); name != "" {
				h.Del(name)
			}
		}
	}
	for _, name := range hopByHop {
		delete(h, name)
	}
}

// internalPrefixes are the headers with which the parts of Next.js and OpenNext communicate.
var internalPrefixes = []string{
	// Geography that a CDN is expected to set; OpenNext copies it to X-Vercel-Ip-* and to the
	// middleware.
	"X-Open-Next-",
	// From an external middleware to the server function: initial URL, resolved routes, request id.
	"X-Opennext-",
	// The names of X-Open-Next-* inside.
	"X-Vercel-Ip-",
	// Middleware results and, above all, X-Middleware-Subrequest, which skips the middleware
	// (CVE-2025-29927).
	"X-Middleware-",
	// The router of Next.js 13 uses these inside: X-Invoke-Path selects another page than the
	// middleware saw.
	"X-Invoke-",
	// Headers of Anchor's own parts.
	"X-Anchor-",
}

// internalHeaders are single names: INTERNAL_HEADERS of next/dist/server/lib/server-ipc/utils.js,
// and OpenNext's.
var internalHeaders = []string{
	"X-Now-Route-Matches", "X-Matched-Path", "X-Next-Resume-State-Length", "Next-Resume",
	// X-Isr marks a revalidation: with it a function answers as to the revalidation queue (no
	// stale-while-revalidate queueing). Only Dispatch may set it.
	"X-Isr",
	// Other sources for what X-Forwarded-* and the request line say. Host is here only beside
	// HTTP/2's :authority, by which the request was routed.
	"Forwarded", "X-Original-Url", "X-Rewrite-Url", "Host",
}

// Kept on purpose:
//   - X-Prerender-Revalidate: res.revalidate() of the pages router sends it to the site's own URL;
//     without the deployment's secret preview id it has no effect.
//   - X-Nextjs-Data and X-Middleware-Prefetch: browsers send them, both affect the client's own
//     navigation only.
const clientPrefetch = "X-Middleware-Prefetch"

func isInternal(name string) bool {
	if name == clientPrefetch {
		return false
	}
	for _, prefix := range internalPrefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// addedFields is how many fields the edge adds to a request at most: those of setForwarded, the id and the trace. A map
// that has room for them from the start need not grow.
const addedFields = 7

// sanitizedRequest copies a request for a function, with the headers that may come from outside and
// those that the edge sets. It shares their values, which nothing writes to.
func (e *Edge) sanitizedRequest(r *http.Request, id string) *http.Request {
	out := r.WithContext(r.Context())
	h := make(http.Header, len(r.Header)+addedFields)
	for name, values := range r.Header {
		if !isInternal(name) {
			h[name] = values
		}
	}
	dropHopByHop(h)
	for _, name := range internalHeaders {
		delete(h, name)
	}
	e.setForwarded(h, r)
	h[headerRequestID] = []string{id}
	out.Header = h
	return out
}

// setForwarded sets the X-Forwarded-* headers and X-Real-Ip. X-Forwarded-Host is always Host, by which
// the request was routed.
func (e *Edge) setForwarded(h http.Header, r *http.Request) {
	peer := peerAddress(r.RemoteAddr)
	proto, port := "http", portOf(r.Host)
	if r.TLS != nil {
		proto = "https"
	}
	chain, client := peer, peer
	if e.trustsPeer(peer) {
		if said := h.Get("X-Forwarded-Proto"); said == "http" || said == "https" {
			proto = said
		}
		if said := h.Get("X-Forwarded-Port"); isPort(said) {
			port = said
		}
		if before := h["X-Forwarded-For"]; len(before) > 0 {
			chain = strings.Join(before, ", ") + ", " + peer
		}
		if said := h.Get("X-Real-Ip"); said != "" {
			client = said
		}
	}
	if !isPort(port) {
		port = defaultPort(proto)
	}
	h["X-Forwarded-Host"] = []string{r.Host}
	h["X-Forwarded-Proto"] = []string{proto}
	h["X-Forwarded-Port"] = []string{port}
	h["X-Forwarded-For"] = []string{chain}
	h["X-Real-Ip"] = []string{client}
}

func (e *Edge) trustsPeer(peer string) bool {
	if len(e.cfg.TrustedProxies) == 0 {
		return false
	}
	addr, err := netip.ParseAddr(peer)
	return err == nil && e.trustsAddr(addr)
}

func (e *Edge) trustsAddr(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, prefix := range e.cfg.TrustedProxies {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

func peerAddress(remote string) string {
	if host, _, err := net.SplitHostPort(remote); err == nil {
		return host
	}
	return remote
}

func defaultPort(proto string) string {
	if proto == "https" {
		return "443"
	}
	return "80"
}

func isPort(s string) bool {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return false
	}
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}
