package edge

import (
	"bytes"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/edge/accesslog"
	"github.com/anchor-deploy/anchor/internal/local/edge/meter"
)

// hitTally counts the hits that one Read answers, so that pipelined requests cost one addition.
type hitTally struct {
	began  time.Time
	logged time.Time   // when the last hit was sent, if it was logged
	cell   *meter.Cell // of the hits since the last flush; nil for none
	hits   int
	octets int64
}

func (t *hitTally) add(c *hitConn, h *hit, r *plainGet) {
	status, outcome := http.StatusOK, meter.Static
	if h.file.Unchanged {
		status = http.StatusNotModified
	}
	if h.tail != nil {
		outcome = meter.Hit
	}
	if cell := h.site.traffic.Cell("", outcome, status); cell != t.cell {
		if t.cell != nil {
			t.flush(time.Now())
		}
		t.cell = cell
	}
	if h.page != nil {
		h.page.CountHit(&h.site.Cache.Counters().Hits)
	}
	t.hits++
	octets := int64(len(h.file.Body))
	t.octets += octets
	t.logged = time.Time{}
	if log := c.edge.cfg.AccessLog; log.Takes() {
		t.logged = time.Now()
		c.logHit(log, h, r, &accesslog.Entry{
			Time: t.began, Cache: outcome.String(), Status: status, Octets: octets, Duration: t.logged.Sub(t.began),
		})
	}
}

// end returns when the last hit was sent. Reading the clocks is what a tally costs most: time.Since reads one, time.Now two.
func (t *hitTally) end() time.Time {
	if t.logged.IsZero() {
		return t.began.Add(time.Since(t.began))
	}
	return t.logged
}

// flush counts the hits, which ended at now.
func (t *hitTally) flush(now time.Time) {
	if t.cell != nil {
		t.cell.Add(t.hits, t.octets, now.Sub(t.began))
	}
	t.cell, t.hits, t.octets = nil, 0, 0
}

// logHit writes the line that measured.logTo writes for the same request.
func (c *hitConn) logHit(log *accesslog.Log, h *hit, r *plainGet, entry *accesslog.Entry) {
	entry.Project, entry.Deployment = h.site.Slug, h.site.ID
	entry.Method, entry.Host, entry.Protocol = http.MethodGet, r.host, c.protocol
	entry.Path, _, entry.Query = strings.Cut(r.target, "?")
	entry.UserAgent, entry.Referer = r.userAgent, r.referer
	entry.Remote = c.edge.visitorOf(c.peer(), r.realIP, r.forwardedFor)
	if r.trace != "" {
		entry.TraceID = traceID([]string{r.trace})
	}
	switch {
	case h.tail != nil:
		entry.RequestID = idIn(h.tail)
	case r.ids == 1 && isSaneID(r.requestID):
		entry.RequestID = r.requestID
	}
	if c.repeats == nil {
		c.repeats = &accesslog.Repeats{}
	}
	log.AppendLike(entry, c.repeats)
}

// idIn returns the request id in the end of a page's header (pageTail).
func idIn(tail []byte) string {
	_, id, ok := bytes.Cut(tail, []byte(headerRequestID+": "))
	if !ok {
		return ""
	}
	id, _, _ = bytes.Cut(id, []byte("\r\n"))
	return string(id)
}

// peer returns the address of the connection's other end.
func (c *hitConn) peer() string {
	if c.remote == "" {
		c.remote = peerAddress(c.addr.String())
	}
	return c.remote
}

// visitorOf returns the address of a request's client: the peer's, or what a trusted proxy says.
// forwarded is the last line of X-Forwarded-For, to which each proxy appends its peer.
func (e *Edge) visitorOf(peer, realIP, forwarded string) string {
	if !e.trustsPeer(peer) {
		return peer
	}
	if addr, err := netip.ParseAddr(realIP); err == nil {
		return addr.String()
	}
	visitor := peer
	for forwarded != "" {
		cut := strings.LastIndexByte(forwarded, ',')
		addr, err := netip.ParseAddr(strings.TrimSpace(forwarded[cut+1:]))
		if err != nil {
			break
		}
		visitor = addr.String()
		if !e.trustsAddr(addr) {
			break
		}
		forwarded = forwarded[:max(cut, 0)]
	}
	return visitor
}

// noteUnread counts a request that net/http could not read and has answered by itself.
func (e *Edge) noteUnread(c net.Conn, status int) {
	e.meters.countReason("unread")
	e.meters.nobody.Cell("", meter.Edge, status).Add(1, 0, 0)
	if log := e.cfg.AccessLog; log.Takes() {
		log.Append(&accesslog.Entry{
			Time: time.Now(), Cache: meter.Edge.String(), Status: status, Remote: peerAddress(c.RemoteAddr().String()),
		})
	}
}

func lastOf(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return lines[len(lines)-1]
}
