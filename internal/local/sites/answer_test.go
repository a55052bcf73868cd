package sites

import (
	"net/http"
	"strings"
	"testing"
)

func TestAnswer(t *testing.T) {
	for what, c := range map[string]struct {
		serve http.HandlerFunc
		want  int
	}{
		"nothing": {func(http.ResponseWriter, *http.Request) {}, 200},
		"body":    {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("x")); w.WriteHeader(500) }, 200},
		"status":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); w.WriteHeader(500) }, 404},
		"hints":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(502) }, 502},
		"flush": {func(w http.ResponseWriter, _ *http.Request) {
			if err := http.NewResponseController(w).Flush(); err != nil {
				panic(err)
			}
			w.WriteHeader(500)
		}, 200},
	} {
		t.Run(what, func(t *testing.T) {
			a := newAnswer()
			c.serve(a, nil)
			if a.code() != c.want {
				t.Errorf("the status is %d, want %d", a.code(), c.want)
			}
		})
	}
	a := newAnswer()
	a.Header().Set("x-nextjs-cache", "REVALIDATED")
	if n, err := a.Write([]byte(strings.Repeat("x", 100))); n != 100 || err != nil || a.header.Get("X-Nextjs-Cache") != "REVALIDATED" {
		t.Errorf("it writes %d octets, %v, with %v", n, err, a.header)
	}
}
