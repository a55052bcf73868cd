package worker

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// A client that ends its side still reads. It sees its request broken off, and never an invented
// status.
func TestForward_DepartedClientHasNoStatus(t *testing.T) {
	t.Parallel()
	for name, request := range map[string]string{
		"without a body": "GET /hang HTTP/1.1\r\nHost: a\r\n\r\n",
		"with a body":    "POST /hang HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody",
	} {
		s := newSite(t, Spec{})
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetReadDeadline(time.Now().Add(testPatience))
		io.WriteString(c, request)
		s.logs.wait(t, "hang began")
		c.(*net.TCPConn).CloseWrite()
		if got, err := io.ReadAll(c); err != nil || len(got) != 0 {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
