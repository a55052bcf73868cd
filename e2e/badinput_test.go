package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// badBuild is a build that must not go live.
type badBuild struct {
	edit func(t *testing.T, tree string)
	code int
	step string // of the pipeline, if it started
	says []string
}

var badBuilds = map[string]badBuild{
	"truncated description": {
		edit: func(t *testing.T, tree string) {
			rewriteFile(t, filepath.Join(tree, "open-next.output.json"), func(b []byte) []byte { return b[:len(b)/2] })
		},
		code: 2, says: []string{`open-next.output.json cannot be read`, `(?i)build`},
	},
	"unfinished build": {
		edit: func(t *testing.T, tree string) { os.Remove(filepath.Join(tree, "open-next.output.json")) },
		code: 2, says: []string{`holds server-functions but no open-next.output.json`, `interrupted`},
	},
	"build for Cloudflare": {
		edit: func(t *testing.T, tree string) {
			os.RemoveAll(tree)
			os.MkdirAll(filepath.Join(tree, "cloudflare"), 0o755)
		},
		code: 2, says: []string{`@opennextjs/cloudflare`, `npx @opennextjs/aws build`},
	},
	"unknown layout": {
		edit: output(func(o map[string]any) { o["origins"] = map[string]any{"main": map[string]any{"type": "lambda"}} }),
		code: 2, says: []string{`lacks the origins "default" and "s3"`, `layouts of open-next 2 and @opennextjs/aws 3 and 4`},
	},
	"container": {
		edit: output(func(o map[string]any) { o["origins"].(map[string]any)["default"].(map[string]any)["type"] = "ecs" }),
		code: 2, says: []string{`function default is built as a container`, `generateDockerfile`},
	},
	"missing bundle": {
		edit: func(t *testing.T, tree string) { os.RemoveAll(filepath.Join(tree, "server-functions", "default")) },
		code: 2, says: []string{`server-functions/default`},
	},
	"sharp for another processor": {
		edit: foreignSharp,
		code: 1, step: "check", says: []string{`sharp in image-optimization-function is built for linux-(arm64|x64), and this machine is`, `install: \{ packages: \["sharp@`},
	},
	"crash at import": {
		edit: serverModule(`console.error("DATABASE_URL is not set"); throw new Error("no database");`),
		code: 1, step: "probe", says: []string{`function default crashes when it starts`, `DATABASE_URL is not set`, `anchor env set`},
	},
	"exit at import": {
		edit: serverModule(`process.exit(7);`),
		code: 1, step: "probe", says: []string{`function default crashes when it starts`, `exit code 7`},
	},
	"no handler": {
		edit: serverModule(`export const other = 1;`),
		code: 1, step: "probe", says: []string{`function default crashes when it starts`, `handler`},
	},
	"500 to the probe": {
		edit: serverModule(`export const handler = awslambda.streamifyResponse(async (event, out) => {
  console.error("out of order on purpose");
  out.setContentType("application/vnd.awslambda.http-integration-response");
  out.write(JSON.stringify({ statusCode: 500, headers: {}, cookies: [] }) + "\0".repeat(8));
  out.end("out of order");
});`),
		code: 1, step: "probe", says: []string{`answered GET / with 500`, `(?i)live traffic`, `anchor logs`},
	},
}

// TestBadBuilds deploys builds that cannot work. Each has its own message and exit code, and the
// live site is not affected.
func TestBadBuilds(t *testing.T) {
	t.Parallel()
	a := up(t)
	live := a.deploy(variant(t, 1), "shop").DeploymentID
	for name, b := range badBuilds {
		t.Run(name, func(t *testing.T) { a.refuses(t, broken(t, b.edit), live, b) })
	}
	t.Run("no build", func(t *testing.T) {
		a.refuses(t, t.TempDir(), live, badBuild{code: 2, says: []string{`does not contain an OpenNext build`, `omit --prebuilt`}})
	})
	t.Run("the same project deploys well afterwards", func(t *testing.T) {
		a.unharmed(t, "shop", a.deploy(variant(t, 1), "shop").DeploymentID)
	})
}

// refuses deploys dir to shop, whose live deployment is live, and asserts that it fails without
// effect.
func (a *anchor) refuses(t *testing.T, dir, live string, b badBuild) {
	t.Helper()
	before := len(a.records(t, "shop"))
	out, text, code := a.run("deploy", "--prebuilt", dir, "--project", "shop")
	if code != b.code || out != "" {
		t.Errorf("ended with %d, want %d; stdout: %q", code, b.code, out)
	}
	says(t, text, append(b.says, `(?m)^error: `)...)
	records := a.records(t, "shop")
	switch {
	case b.step == "":
		if len(records) != before {
			t.Errorf("what is refused here reached the server: %+v", records[0])
		}
	case records[0].Status != "deploy_failed" || records[0].ErrorStep != b.step || records[0].ErrorMessage == "":
		t.Errorf("the record is %+v", records[0])
	}
	a.unharmed(t, "shop", live)
}

// TestBundlesThatNeverAnswer waits for the limits of start and probe concurrently.
func TestBundlesThatNeverAnswer(t *testing.T) {
	t.Parallel()
	a := up(t)
	live := a.deploy(variant(t, 1), "shop").DeploymentID
	var wg sync.WaitGroup
	for project, b := range map[string]badBuild{
		"import": {edit: serverModule(`setInterval(() => {}, 1000); await new Promise(() => {}); export const handler = 1;`),
			says: []string{`function default did not start`, `top-level`}},
		"request": {edit: serverModule(`export const handler = awslambda.streamifyResponse(() => new Promise(() => {}));`),
			says: []string{`did not answer GET / within 30s`}},
	} {
		dir := broken(t, b.edit)
		// A project that the deploy itself created would be removed.
		if _, text, code := a.run("projects", "create", project); code != 0 {
			t.Fatal(text)
		}
		wg.Go(func() {
			_, text, code := a.run("deploy", "--prebuilt", dir, "--project", project)
			if code != 1 {
				t.Errorf("%s: ended with %d", project, code)
			}
			says(t, text, b.says...)
		})
	}
	wg.Wait()
	a.unharmed(t, "shop", live)
	for _, project := range []string{"import", "request"} {
		if r := a.records(t, project); len(r) != 1 || r[0].Status != "deploy_failed" || r[0].ErrorStep != "probe" {
			t.Errorf("the records of %s are %+v", project, r)
		}
		a.site(t, project).get("/").want(t, 404)
	}
}

// TestBadApps covers apps that anchor deploy cannot build.
func TestBadApps(t *testing.T) {
	t.Parallel()
	a := up(t)
	write := func(dir, name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	none := func(t *testing.T) {
		if code, err := a.call("GET", "/projects/shop", nil, nil); code != 404 || err != nil {
			t.Errorf("the project was made all the same: %d %v", code, err)
		}
	}
	t.Run("no folder", func(t *testing.T) {
		_, text, code := a.run("deploy", filepath.Join(t.TempDir(), "nowhere"), "--project", "shop")
		if code != 2 {
			t.Errorf("ended with %d", code)
		}
		says(t, text, `the folder .*nowhere does not exist`)
		none(t)
	})
	t.Run("no app", func(t *testing.T) {
		_, text, code := a.run("deploy", t.TempDir(), "--project", "shop")
		if code != 2 {
			t.Errorf("ended with %d", code)
		}
		says(t, text, `there is no package.json in `)
		none(t)
	})
	t.Run("no Next.js", func(t *testing.T) {
		dir := t.TempDir()
		write(dir, "package.json", `{"name": "shop", "dependencies": {"express": "^5"}}`)
		_, text, code := a.run("deploy", dir, "--project", "shop")
		if code != 2 {
			t.Errorf("ended with %d", code)
		}
		says(t, text, `does not depend on Next.js`)
		none(t)
	})
	t.Run("build fails", func(t *testing.T) {
		dir := t.TempDir()
		modules, err := filepath.Abs(filepath.Join(guides, "node_modules"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
			t.Fatal(err)
		}
		write(dir, "package.json", `{"name": "shop", "scripts": {"build": "next build"}, "dependencies": {"next": "15"}}`)
		write(dir, "next.config.mjs", "export default {};\n")
		write(dir, "pages/index.jsx", "export default function Home() { return <p>not closed; }\n")
		_, text, code := a.run("deploy", dir, "--project", "shop")
		if code != 1 {
			t.Errorf("ended with %d", code)
		}
		says(t, text, `✗ Build`, `│ .*pages/index.jsx`, `error: npx .*open-next build.* failed`, `complete output is in .*build.log`)
		log, err := os.ReadFile(filepath.Join(dir, ".anchor", "build.log"))
		if err != nil || !strings.Contains(string(log), "pages/index.jsx") {
			t.Errorf("the kept output is %q, %v", log, err)
		}
		none(t)
	})
}

// TestBadRequests covers what the API and its commands refuse.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	a := up(t, "--keep", "1")
	live := a.deploy(variant(t, 1), "shop").DeploymentID
	foreign := a.deploy(variant(t, 1), "other").DeploymentID
	var pruned string
	for range 4 {
		d := a.deploy(variant(t, 1), "old").DeploymentID
		if pruned == "" {
			pruned = d
		}
	}
	// The file of the manifest is new, so the server requests it.
	var started struct {
		Deployment struct{ DeploymentID string }
		Missing    []string
	}
	want := sha([]byte("what the manifest names"))
	manifest := map[string]any{"manifest": map[string]any{"files": []any{map[string]any{"path": "assets/a.txt", "size": 23, "digest": want}}}}
	if code, err := a.call("POST", "/projects/shop/deployments", manifest, &started); code >= 300 || err != nil || len(started.Missing) != 1 {
		t.Fatal(code, err, started)
	}

	token := func(name, scope string) (id, secret string) {
		var made struct{ TokenID, Secret string }
		out, errs, code := a.run("tokens", "create", name, "--scope", scope, "--json")
		if err := json.Unmarshal([]byte(out), &made); err != nil || code != 0 {
			t.Fatal(code, errs, err)
		}
		return made.TokenID, made.Secret
	}
	revokedID, revoked := token("gone", "admin")
	if _, errs, code := a.run("tokens", "revoke", revokedID); code != 0 {
		t.Fatal(errs)
	}
	_, reader := token("reader", "read")

	t.Run("API", func(t *testing.T) {
		rollback := func(id string) string { return `{"targetDeploymentId": "` + id + `"}` }
		for name, c := range map[string]struct {
			method, path, body, token string
			want                      int
			code                      string
		}{
			"digest mismatch":      {"PUT", "/projects/shop/files/" + want, "something else entirely", a.token, 400, "wrong_digest"},
			"shorter than said":    {"POST", "/projects/shop/deployments/" + started.Deployment.DeploymentID + "/finish", "", a.token, 409, "files_missing"},
			"malformed digest":     {"PUT", "/projects/shop/files/" + strings.Repeat("z", 64), "x", a.token, 400, "bad_digest"},
			"unknown project":      {"POST", "/projects/nobody/rollback", rollback(live), a.token, 404, "unknown_project"},
			"unknown deployment":   {"POST", "/projects/shop/rollback", rollback("01arz3ndektsv4rrffq69g5fav"), a.token, 404, "unknown_deployment"},
			"foreign deployment":   {"POST", "/projects/shop/rollback", rollback(foreign), a.token, 404, "unknown_deployment"},
			"pruned deployment":    {"POST", "/projects/old/rollback", rollback(pruned), a.token, 409, "pruned"},
			"never deployed":       {"POST", "/projects/shop/rollback", rollback(started.Deployment.DeploymentID), a.token, 409, ""},
			"no target":            {"POST", "/projects/shop/rollback", `{}`, a.token, 400, ""},
			"unknown field":        {"POST", "/projects/shop/rollback", `{"target": "x"}`, a.token, 400, "unknown_field"},
			"not JSON":             {"POST", "/projects/shop/rollback", `{"target`, a.token, 400, "bad_json"},
			"body too large":       {"POST", "/projects", `{"slug": "` + strings.Repeat("x", 2<<20) + `"}`, a.token, 413, "too_large"},
			"no token":             {"GET", "/projects", "", "", 401, ""},
			"wrong token":          {"GET", "/projects", "", "not-a-token", 401, ""},
			"revoked token":        {"GET", "/projects", "", revoked, 401, ""},
			"token of small scope": {"POST", "/projects/shop/rollback", rollback(live), reader, 403, ""},
			"unknown route":        {"GET", "/nothing", "", a.token, 404, "no_such_route"},
			"wrong method":         {"PATCH", "/projects", "", a.token, 405, "method_not_allowed"},
		} {
			p, status := a.problem(t, c.method, c.path, c.body, c.token)
			if status != c.want || p.Detail == "" || p.Code == "" || c.code != "" && p.Code != c.code {
				t.Errorf("%s: %d %+v, want %d %s", name, status, p, c.want, c.code)
			}
		}
	})
	t.Run("commands", func(t *testing.T) {
		for name, c := range map[string]struct {
			args []string
			code int
			says string
		}{
			"unknown project":    {[]string{"deployments", "--project", "nobody"}, 3, `nobody`},
			"unknown deployment": {[]string{"rollback", "01arz3ndektsv4rrffq69g5fav", "--project", "shop"}, 3, `has no deployment 01arz3`},
			"foreign deployment": {[]string{"promote", foreign, "--project", "shop"}, 3, `has no deployment ` + foreign},
			"pruned deployment":  {[]string{"rollback", pruned, "--project", "old"}, 1, `no longer kept`},
			"nothing before":     {[]string{"rollback", "--project", "other"}, 1, `no other deployment of this project was live before`},
			"bad slug":           {[]string{"projects", "create", "No Slug!"}, 2, `(?i)slug`},
			"unknown flag":       {[]string{"status", "--nope"}, 2, `unknown flag`},
		} {
			out, text, code := a.run(c.args...)
			if code != c.code || out != "" {
				t.Errorf("%s: ended with %d, want %d; stdout: %s", name, code, c.code, out)
			}
			says(t, text, `(?m)^error: `, c.says)
		}
	})
	t.Run("tokens of commands", func(t *testing.T) {
		good := a.token
		defer func() { a.token = good }()
		for _, a.token = range []string{"not-a-token", revoked} {
			if _, text, code := a.run("projects"); code != 4 || !strings.Contains(text, "token") {
				t.Errorf("ended with %d: %s", code, text)
			}
		}
		a.token = reader
		if _, text, code := a.run("deploy", "--prebuilt", variant(t, 1), "--project", "shop"); code != 4 || !strings.Contains(text, "scope") {
			t.Errorf("ended with %d: %s", code, text)
		}
	})
	t.Run("no server", func(t *testing.T) {
		good := a.api
		defer func() { a.api = good }()
		a.api = "http://127.0.0.1:1"
		_, text, code := a.run("status")
		if code != 4 {
			t.Errorf("ended with %d", code)
		}
		says(t, text, `127.0.0.1:1`, `anchor up`)
	})
	if _, errs, code := a.run("cancel", started.Deployment.DeploymentID, "--project", "shop"); code != 0 {
		t.Error(errs)
	}
	a.unharmed(t, "shop", live)
}

type problem struct{ Title, Detail, Code, Hint string }

func (a *anchor) problem(t *testing.T, method, path, body, token string) (problem, int) {
	t.Helper()
	r, err := http.NewRequest(method, a.api+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if method == "PUT" {
		r.Header.Set("Content-Type", "application/octet-stream")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if ct := res.Header.Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("%s %s answered %d as %s", method, path, res.StatusCode, ct)
	}
	var p problem
	if err := json.NewDecoder(res.Body).Decode(&p); err != nil {
		t.Fatal(err)
	}
	return p, res.StatusCode
}
