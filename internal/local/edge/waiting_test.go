package edge

import (
	"context"
	"io"
	"runtime"
	"testing"
	"time"
)

// A shutdown closes connections that wait for a first request, and does not wait for them as net/http does.
func TestEdge_Shutdown_ClosesWaiting(t *testing.T) {
	e := start(t, Config{})
	c, from := e.dial(t)
	defer c.Close()
	for waiting := 0; waiting < 1; runtime.Gosched() {
		e.newcomers.mu.Lock()
		waiting = len(e.newcomers.conns)
		e.newcomers.mu.Unlock()
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := e.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if _, err := from.ReadByte(); err != io.EOF {
		t.Errorf("the connection is open: %v", err)
	}
}
