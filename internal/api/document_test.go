package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// described is the OpenAPI document's description of each route, found as ServeMux finds it.
type described struct {
	mux    *http.ServeMux
	routes map[string]map[string]struct{ Content map[string]any } // by pattern and status
}

var describedAPI = sync.OnceValues(func() (described, error) {
	w := httptest.NewRecorder()
	services := api.Services{Domains: &domains.Service{}} // asked for nothing but to be there
	api.New(services, api.Options{}).ServeHTTP(w, httptest.NewRequest("GET", "/openapi.json", nil))
	var doc document
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		return described{}, err
	}
	d := described{mux: http.NewServeMux(), routes: map[string]map[string]struct{ Content map[string]any }{}}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			pattern := strings.ToUpper(method) + " " + path
			d.mux.Handle(pattern, http.NotFoundHandler())
			d.routes[pattern] = op.Responses
		}
	}
	return d, nil
})

// checkDocumented checks an answer against the OpenAPI document: the route may send that
// status, and that media type with it.
func checkDocumented(t *testing.T, req *http.Request, res *http.Response) {
	t.Helper()
	d, err := describedAPI()
	if err != nil {
		t.Fatal(err)
	}
	_, pattern := d.mux.Handler(req)
	if pattern == "" {
		return // no route, and nobody to promise anything
	}
	said, ok := d.routes[pattern][strconv.Itoa(res.StatusCode)]
	if !ok {
		t.Errorf("%s answers %d, of which the OpenAPI document says nothing", pattern, res.StatusCode)
		return
	}
	mediaType, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	if _, ok := said.Content[mediaType]; !ok && (mediaType != "" || len(said.Content) > 0) {
		t.Errorf("%s answers %d with %q, of which the OpenAPI document says nothing", pattern, res.StatusCode, mediaType)
	}
}

func TestOpenAPI_DescribesEveryAnswer(t *testing.T) {
	d, err := describedAPI()
	if err != nil {
		t.Fatal(err)
	}
	for pattern, responses := range d.routes {
		if _, said := responses["422"]; said {
			t.Errorf("%s: a bad field is answered with 400, not 422", pattern)
		}
	}
}
