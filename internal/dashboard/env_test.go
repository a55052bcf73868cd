package dashboard_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func TestEnv_ImportsAFileAndShowsValuesToAdmins(t *testing.T) {
	w := serve(t, false)
	p, err := w.Projects.Create(t.Context(), "shop", "main")
	if err != nil {
		t.Fatal(err)
	}
	owner := w.signIn("")
	developer := w.session(anchor.Person{Name: "developer", Role: anchor.RoleDeveloper})
	const page = "/dashboard/projects/shop/env"
	form := url.Values{"file": {"A=1\r\n# a comment\r\nNODE_ENV=x\r\nB='two\r\nlines <b>'\r\n"}, "for": {"run"}, "environment": {"production"}}
	if res, body := w.send("POST", page+"/import", developer, form); res.Header.Get("Location") != page+"?done=env-imported" {
		t.Errorf("the import answers %d: %s", res.StatusCode, body)
	}
	vars, err := w.Env.List(t.Context(), p.ID, true)
	if err != nil || len(vars) != 2 || vars[0].Environment != anchor.EnvProduction || vars[0].For != anchor.EnvRun {
		t.Errorf("the variables are %+v, %v", vars, err)
	}
	for text, want := range map[string]string{"what": "line 1 of the file", "NODE_ENV=x": "no variables to set", "1A=x": "cannot be the name"} {
		form.Set("file", text)
		if res, body := w.send("POST", page+"/import", developer, form); res.StatusCode != 400 || !strings.Contains(body, want) {
			t.Errorf("importing %q answers %d: %s", text, res.StatusCode, body)
		}
	}
	if res, body := w.send("POST", page+"/reveal", owner, nil); res.StatusCode != 200 || !strings.Contains(body, "two\nlines &lt;b&gt;") || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("an admin gets %d: %s", res.StatusCode, body)
	}
	if res, body := w.send("POST", page+"/reveal", developer, nil); res.StatusCode != 403 || strings.Contains(body, "lines") {
		t.Errorf("a developer gets %d: %s", res.StatusCode, body)
	}
	if _, body := w.send("GET", page, owner, nil); strings.Contains(body, "lines &lt;b&gt;") || !strings.Contains(body, "Show the values") {
		t.Errorf("the page is %s", body)
	}
}
