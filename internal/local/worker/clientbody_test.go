package worker

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestClientBody_UnreadableIsClientError(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{})
	front := serveOn(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Late") != "" {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		}
		s.ServeHTTP(w, r)
	})})
	for request, want := range map[string]int{
		"X-Late: 1\r\nContent-Length: 100\r\n\r\nhalf":        http.StatusRequestTimeout,
		"Transfer-Encoding: chunked\r\n\r\nno size\r\n":       http.StatusBadRequest,
		"Transfer-Encoding: chunked\r\n\r\n4\r\nhalfmore\r\n": http.StatusBadRequest,
	} {
		c, err := net.Dial("tcp", strings.TrimPrefix(front.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "POST /upload HTTP/1.1\r\nHost: a.test\r\n"+request)
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%q: status %d, want %d", request, res.StatusCode, want)
		}
	}
	if s.logs.has("got no answer") {
		t.Error("the app's log reports a missing answer")
	}
}
