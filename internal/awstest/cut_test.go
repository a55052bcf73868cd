package awstest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// A connection that breaks before or within an answer is a cut; one that the test breaks
// is none.
func TestCutsAreTheEmulatorsOnly(t *testing.T) {
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
