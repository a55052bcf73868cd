package api

import (
	_ "embed"
	"io"
	"net/http"
)

// llmsText introduces the server to language models (llmstxt.org). It has nothing of this server's projects.
//
//go:embed llms.txt
var llmsText string

func (s *server) llmsRoute(mux *http.ServeMux) {
	mux.HandleFunc("GET /llms.txt", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, llmsText)
	})
}
