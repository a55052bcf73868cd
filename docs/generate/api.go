package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// openAPI returns the document as the API serves it, indented.
func openAPI() ([]byte, error) {
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/openapi.json", http.NoBody)
	// The routes of domains are there with their use-case, which the document does not call.
	api.New(api.Services{Domains: &domains.Service{}}, api.Options{}).ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		return nil, fmt.Errorf("the API answers %d for its document: %s", w.Code, w.Body)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, bytes.TrimSpace(w.Body.Bytes()), "", "  "); err != nil {
		return nil, fmt.Errorf("read the API's document: %w", err)
	}
	indented.WriteByte('\n')
	return indented.Bytes(), nil
}

// document is what the page says of an OpenAPI 3.1 document.
type document struct {
	Info       struct{ Description string }
	Paths      map[string]map[string]operation
	Components struct{ Schemas map[string]schema }
}

type operation struct {
	Summary, Description string
	Parameters           []parameter
	RequestBody          content
	Responses            map[string]content
}

type parameter struct {
	Name, In, Description string
	Required              bool
	Schema                schema
}

type content struct {
	Description string
	Content     map[string]struct{ Schema schema }
}

const apiIntro = `# HTTP API

%s

` + "`anchor up`" + ` serves it on 127.0.0.1:3080 (` + "`--api`" + `). The same as a document for programs is at
` + "`/openapi.json`" + ` and in [openapi.json](openapi.json).

- **Token.** ` + "`Authorization: Bearer <token>`" + `, made by ` + "`anchor tokens create --scope`" + `: ` + "`read`" + ` looks,
  ` + "`deploy`" + ` also deploys, releases and sets variables, ` + "`admin`" + ` does everything. Each route names what it needs.
- **Times** are Unix milliseconds. ` + "`{projectId}`" + ` takes the project's id or its slug.
- **Lists** have pages: pass the answer's ` + "`next`" + ` as ` + "`cursor`" + `; there is no ` + "`next`" + ` on the last one.
- **Strictness.** Unknown fields and unknown query parameters are errors.

`

var methods = []string{"get", "post", "put", "patch", "delete"}

func apiPage(raw []byte) ([]byte, error) {
	var d document
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, fmt.Errorf("read the API's document: %w", err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, generated+apiIntro, d.Info.Description)
	b.WriteString("| route | what it does |\n|---|---|\n")
	d.each(func(route string, op operation) { fmt.Fprintf(&b, "| `%s` | %s |\n", route, op.Summary) })
	d.each(func(route string, op operation) { op.describe(&b, route) })
	b.WriteString("\n# Records\n\nA field that can be left out is marked `?`.\n")
	for _, name := range slices.Sorted(maps.Keys(d.Components.Schemas)) {
		fmt.Fprintf(&b, "\n### %s\n\n", name)
		d.Components.Schemas[name].describe(&b)
	}
	return b.Bytes(), nil
}

// each calls f with every operation, by path and then by method.
func (d document) each(f func(route string, op operation)) {
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range methods {
			if op, served := d.Paths[path][method]; served {
				f(strings.ToUpper(method)+" "+path, op)
			}
		}
	}
}

func (op operation) describe(b *bytes.Buffer, route string) {
	fmt.Fprintf(b, "\n## %s\n\n%s. %s\n\n", route, op.Summary, cmp.Or(op.Description, "Needs no token."))
	for _, p := range op.Parameters {
		if p.In != "path" {
			fmt.Fprintf(b, "- %s `%s`: %s\n", p.In, p.Name, joined("; ", p.Schema.String(), p.Description, p.Schema.bounds()))
		}
	}
	for _, mediaType := range slices.Sorted(maps.Keys(op.RequestBody.Content)) {
		fmt.Fprintf(b, "- takes %s\n", joined(": ", media(mediaType, op.RequestBody.Content[mediaType].Schema), op.RequestBody.Description))
	}
	var failures []string
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		if status >= "400" {
			failures = append(failures, status)
			continue
		}
		fmt.Fprintf(b, "- answers %s", status)
		for _, mediaType := range slices.Sorted(maps.Keys(op.Responses[status].Content)) {
			fmt.Fprintf(b, ", %s", media(mediaType, op.Responses[status].Content[mediaType].Schema))
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(b, "- fails with %s\n", strings.Join(failures, ", "))
}

func media(mediaType string, s schema) string {
	if s.Format == "binary" || s.String() == "any" {
		return "`" + mediaType + "`"
	}
	if mediaType == "application/json" {
		return s.String()
	}
	return "`" + mediaType + "` of " + s.String()
}

func joined(separator string, parts ...string) string {
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	return strings.Join(parts, separator)
}
