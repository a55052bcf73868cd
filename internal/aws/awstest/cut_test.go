package awstest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// A connection that breaks before or within an answer is a cut, unless the test breaks it.
func TestWire_CountsEmulatorCutsOnly(t *testing.T) {
	for name, answer := range map[string]string{"before": "", "within": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			fmt.Fprint(conn, answer)
		}))
		wire := newWire(server.Listener.Addr().(*net.TCPAddr).String())
		ask := func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			if res, err := wire.Do(r); err == nil {
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		}
		wire.Break(Fault{Operation: ".", Nth: 1})
		ask()
		if n := wire.Cuts(); n != 0 {
			t.Errorf("%s: the test's own break counts as %d cuts", name, n)
		}
		ask()
		if n := wire.Cuts(); n != 1 {
			t.Errorf("%s: %d cuts", name, n)
		}
		wire.close()
		server.Close()
	}
}

// A body that is closed when an answer begins, like the SDK's, does not break anything.
func TestWire_EarlyClosedBodyIsNoCut(t *testing.T) {
	body := &closedEarly{Reader: strings.NewReader("whole"), closed: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		_, _ = w.Write(content[:2])
		_ = http.NewResponseController(w).Flush()
		<-body.closed
		time.Sleep(20 * time.Millisecond) // in which a transport that treats this as an error closes the connection
		_, _ = w.Write(content[2:])
	}))
	defer server.Close()
	wire := newWire(server.Listener.Addr().(*net.TCPAddr).String())
	defer wire.close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = int64(len("whole"))
	res, err := wire.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got, err := io.ReadAll(res.Body); err != nil || string(got) != "whole" || wire.Cuts() != 0 {
		t.Errorf("%q, %v, %d cuts", got, err, wire.Cuts())
	}
}

// closedEarly is smithy-go's safeReadCloser after its Close: it reads io.EOF, and its
// WriteTo fails.
type closedEarly struct {
	io.Reader
	once   sync.Once
	closed chan struct{}
}

func (*closedEarly) WriteTo(io.Writer) (int64, error) { return 0, io.EOF }

func (c *closedEarly) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}
