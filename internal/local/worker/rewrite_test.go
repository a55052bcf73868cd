package worker

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// OpenNext decompresses brotli and gzip only; it drops the Content-Encoding of an answer in another
// coding.
func TestRewrite_AcceptEncoding(t *testing.T) {
	t.Parallel()
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "accepts "+r.Header.Get("Accept-Encoding"))
	}))
	defer host.Close()
	s := newSite(t, Spec{Handler: "faults.handler", Min: 1})
	for accepted, want := range map[string]string{
		"": "accepts ", "identity": "accepts identity", "zstd": "accepts identity", "*": "accepts identity",
		"gzip, deflate, br, zstd": "accepts gzip, br", "GZip;q=0.5 ,zstd": "accepts GZip;q=0.5",
	} {
		var header []string
		if accepted != "" {
			header = []string{"Accept-Encoding", accepted}
		}
		if a := s.getRaw(t, "/rewrite?to="+host.URL, header...); a.body != want {
			t.Errorf("a visitor who accepts %q: the host reads %q, want %q", accepted, a.body, want)
		}
	}
}
