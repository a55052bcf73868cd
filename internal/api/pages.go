package api

import (
	"net/http"
	"strings"
)

// PagesPath begins the paths of the dashboard.
const PagesPath = "/dashboard"

// pageRoutes serves the dashboard, which the checks of Host and the deadlines of the API protect, too.
func (s *server) pageRoutes(mux *http.ServeMux) {
	if s.Pages == nil {
		return
	}
	mux.Handle("GET /{$}", s.Pages)
	mux.Handle(PagesPath, s.Pages)
	mux.Handle(PagesPath+"/", s.Pages)
}

func isPage(path string) bool {
	return path == "/" || path == PagesPath || strings.HasPrefix(path, PagesPath+"/")
}
