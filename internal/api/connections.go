package api

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// Connections caps the connections of an API's http.Server: Track is its ConnState. At the cap
// a new connection replaces the one that has been idle, or silent since it was opened, for
// longest; when all are answering, the new one is closed.
type Connections struct {
	Max int // at a time

	mu   sync.Mutex
	open map[net.Conn]connection
}

type connection struct {
	state http.ConnState
	since time.Time
}

// Track follows the state of a connection.
func (c *Connections) Track(conn net.Conn, state http.ConnState) {
	if victim := c.trackState(conn, state); victim != nil {
		_ = victim.Close() // its handler, if any, hears of it
	}
}

func (c *Connections) trackState(conn net.Conn, state http.ConnState) (victim net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if state == http.StateClosed || state == http.StateHijacked {
		delete(c.open, conn)
		return nil
	}
	if c.open == nil {
		c.open = map[net.Conn]connection{}
	}
	c.open[conn] = connection{state, time.Now()}
	if state != http.StateNew || len(c.open) <= c.Max {
		return nil
	}
	victim = c.leastNeeded(conn)
	delete(c.open, victim)
	return victim
}

// leastNeeded prefers idle connections to those that have sent nothing yet.
func (c *Connections) leastNeeded(fresh net.Conn) net.Conn {
	for _, state := range []http.ConnState{http.StateIdle, http.StateNew} {
		var victim net.Conn
		var since time.Time
		for conn, at := range c.open {
			if conn != fresh && at.state == state && (victim == nil || at.since.Before(since)) {
				victim, since = conn, at.since
			}
		}
		if victim != nil {
			return victim
		}
	}
	return fresh
}
