package edge

import (
	"net/http"

	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
)

// uncached keeps caches between the edge and one visitor from storing a response.
type uncached struct {
	http.ResponseWriter
	began bool // the final header is written
}

// Unwrap lets http.ResponseController reach the connection.
func (u *uncached) Unwrap() http.ResponseWriter { return u.ResponseWriter }

func (u *uncached) Write(p []byte) (int, error) {
	if !u.began {
		u.WriteHeader(http.StatusOK)
	}
	return u.ResponseWriter.Write(p)
}

func (u *uncached) WriteHeader(status int) {
	u.began = u.began || status >= 200
	h := u.Header()
	h["Cache-Control"] = []string{"private, no-store"}
	for _, name := range []string{"Expires", "Cdn-Cache-Control", "Surrogate-Control", cache.HeaderTargeted} {
		delete(h, name)
	}
	u.ResponseWriter.WriteHeader(status)
}

// FlushError is what http.ResponseController calls.
func (u *uncached) FlushError() error { return http.NewResponseController(u.ResponseWriter).Flush() }

// Flush is for functions that ask for an http.Flusher.
func (u *uncached) Flush() { _ = u.FlushError() }
