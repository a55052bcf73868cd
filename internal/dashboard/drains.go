package dashboard

import (
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (d *Dashboard) drainRoutes(mux *routes) {
	const all = root + "/drains"
	mux.HandleFunc("GET "+all, d.page(showDrains))
	mux.HandleFunc("POST "+all, d.action(addDrain))
	mux.HandleFunc("POST "+all+"/{drain}/test", d.action(testDrain))
	mux.HandleFunc("POST "+all+"/{drain}/remove", d.action(removeDrain))
}

// drainKinds are the forms of drains in words.
var drainKinds = map[string]string{
	"http": "JSON lines by HTTP", "loki": "Grafana Loki", "otlp": "OpenTelemetry (OTLP)", "syslog": "Syslog",
}

// drainSources are what drains send, in words.
var drainSources = map[string]string{"app": "What apps print", "access": "A line for each request"}

func showDrains(r request) (view, error) {
	drains, err := r.api.Drains(r.Context())
	if err != nil {
		return view{}, err
	}
	slugs, err := r.slugs()
	if err != nil {
		return view{}, err
	}
	return view{Title: "Drains", Section: "drains", Live: drainTable(drains, slugs), Rest: addDrainForm(slugs)}, nil
}

func addDrain(r request) (string, error) {
	headers, err := headersOf(r.PostFormValue("headers"))
	if err != nil {
		return "", err
	}
	_, err = r.api.AddDrain(r.Context(), wire.AddDrain{
		Kind: r.PostFormValue("kind"), Project: r.PostFormValue("project"), Sources: r.PostForm["source"],
		DrainTarget: anchor.DrainTarget{URL: strings.TrimSpace(r.PostFormValue("url")), Headers: headers},
	})
	return done(address("drains"), "drain-added"), err
}

// headersOf reads one header in each line, NAME: VALUE. An error does not show it, as it may be secret.
func headersOf(text string) (map[string]string, error) {
	headers := map[string]string{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, found := strings.Cut(line, ":")
		if !found {
			return nil, anchor.Invalid("bad_drain", "a header is not of the form NAME: VALUE").Hintf("Go back and write one header in each line, such as Authorization: Bearer TOKEN.")
		}
		headers[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return headers, nil
}

func testDrain(r request) (string, error) {
	return done(address("drains"), "drain-tested"), r.api.TestDrain(r.Context(), r.PathValue("drain"))
}

func removeDrain(r request) (string, error) {
	return done(address("drains"), "drain-removed"), r.api.RemoveDrain(r.Context(), r.PathValue("drain"))
}
