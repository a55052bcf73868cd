package worker

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wireServer stands in for Anchor's endpoint of AWS calls, and records the calls.
type wireServer struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string
}

func newWireServer(t *testing.T) *wireServer {
	s := &wireServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.seen = append(s.seen, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Authorization")+" "+string(body))
		_, _ = io.WriteString(w, "answered")
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *wireServer) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

// awsBundle is laid out as OpenNext does it: its overrides in index.mjs, the app below .next and
// node_modules. Both sign as AWS clients do. No name resolves, so that nothing leaves this machine:
// a call that is not redirected fails with the name.
var awsBundle = map[string]string{
	"index.mjs": `
import dns from "node:dns";
import http from "node:http";
import https from "node:https";
import { syncBuiltinESMExports } from "node:module";
import * as app from "./.next/server/app.mjs";
import * as packaged from "./node_modules/sdk/index.mjs";
import * as workspace from "./packages/lib/index.mjs";
import * as monorepo from "./apps/web/index.mjs";
dns.lookup = (name, options, callback) => (callback ?? options)(Object.assign(new Error(name), { code: "to " + name }));
syncBuiltinESMExports();
const asked = {
  fetch: async (url, init) => fetch(url, init),
  fetchRequest: async (url, init) => fetch(new Request(url, init)),
  fetchURL: async (url, init) => fetch(new URL(url), init),
  signed,
  credentials,
};
function signed(module, region, options) {
  const authorization = "AWS4-HMAC-SHA256 Credential=AKID/20260101/" + region + "/s3/aws4_request, SignedHeaders=host, Signature=0";
  return new Promise((resolve, reject) => {
    const request = { http, https }[module].request({ ...options, headers: { ...options.headers, authorization } }, (response) => {
      let text = "";
      response.on("data", (chunk) => (text += chunk)).on("end", () => resolve(text));
    });
    request.on("error", reject).end(options.body);
  });
}
function credentials() {
  const { AWS_PROFILE } = process.env;
  return [process.env.AWS_ACCESS_KEY_ID, process.env["AWS_SECRET_ACCESS_KEY"], process.env.AWS_SESSION_TOKEN, AWS_PROFILE].map(String);
}
const outcome = (call) => call().then(async (r) => (r?.text ? r.text() : r), (err) => err.cause?.code ?? err.code ?? String(err));
export async function handler(event) {
  const { who, call, args } = JSON.parse(Buffer.from(event.body, "base64"));
  const by = { openNext: asked, app, packaged, workspace, monorepo }[who];
  const body = JSON.stringify(await outcome(async () => by[call](...args)));
  return { statusCode: 200, headers: {}, cookies: [], body, isBase64Encoded: false };
}`,
	".next/server/app.mjs":       appSource,
	"node_modules/sdk/index.mjs": appSource,
	"packages/lib/index.mjs":     appSource,
	"apps/web/.next/BUILD_ID":    "b",
	"apps/web/index.mjs":         appSource, // OpenNext's handler is there
}

const appSource = `
export const credentials = () => [process.env.AWS_ACCESS_KEY_ID, process.env.AWS_SECRET_ACCESS_KEY, process.env.AWS_SESSION_TOKEN, process.env.AWS_PROFILE].map(String);
export const environment = () => Object.keys({ ...process.env }).filter((name) => name.startsWith("AWS_") || name.startsWith("ANCHOR_WIRE"));
export const assign = () => { process.env.ASSIGNED = 1; delete process.env.GONE; return [process.env.ASSIGNED, "GONE" in process.env]; };
`

func newAWSSite(t *testing.T, wire *wireServer, env map[string]string) *site {
	t.Helper()
	dir := t.TempDir()
	for name, source := range awsBundle {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(source), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all := map[string]string{"ANCHOR_WIRE": `{"endpoint":"` + wire.URL + `","region":"anchor-local-1","buckets":["anchor-cache"],"key":"OURS","secret":"hidden"}`}
	for name, value := range env {
		all[name] = value
	}
	return newSite(t, Spec{Dir: dir, Env: all})
}

// asks makes who call a function with args, and returns the result.
func (s *site) asks(t *testing.T, who, call string, args ...any) string {
	t.Helper()
	if args == nil {
		args = []any{}
	}
	body, err := json.Marshal(map[string]any{"who": who, "call": call, "args": args})
	if err != nil {
		t.Fatal(err)
	}
	return s.do(t, http.MethodPost, "/", strings.NewReader(string(body))).body
}

type object = map[string]any

func TestAWS_OpenNextCallsReachAnchor(t *testing.T) {
	t.Parallel()
	const ours = "AWS4-HMAC-SHA256 Credential=OURS/anchor"
	elsewhere := newWireServer(t)
	foreign := object{"host": "127.0.0.1", "port": strings.TrimPrefix(elsewhere.URL, "http://127.0.0.1:"), "method": "PUT"}
	for name, c := range map[string]struct {
		call string
		args []any
		want string
	}{
		"a bucket, by fetch":             {"fetch", []any{"https://anchor-cache.s3.anchor-local-1.amazonaws.com/_cache/a%2Fb?x-id=1", object{"method": "PUT", "body": "B"}}, "PUT /anchor-cache/_cache/a%2Fb?x-id=1 " + ours + " B"},
		"a Request":                      {"fetchRequest", []any{"https://anchor-cache.s3.anchor-local-1.amazonaws.com/k", object{"method": "PUT", "body": "B", "headers": object{"authorization": "x"}}}, "PUT /anchor-cache/k " + ours + " B"},
		"a URL":                          {"fetchURL", []any{"https://sqs.anchor-local-1.amazonaws.com/1/q", object{"method": "POST", "body": "B"}}, "POST /1/q " + ours + " B"},
		"a table, by fetch":              {"fetch", []any{"https://dynamodb.anchor-local-1.amazonaws.com", object{"method": "POST", "body": "Q", "headers": object{"authorization": "x"}}}, "POST / " + ours + " Q"},
		"a bucket, by an SDK":            {"signed", []any{"https", "anchor-local-1", object{"host": "anchor-cache.s3.anchor-local-1.amazonaws.com", "path": "/k//../l", "method": "PUT", "body": "B"}}, "PUT /anchor-cache/k//../l " + ours + " B"},
		"a bucket in the path":           {"signed", []any{"https", "anchor-local-1", object{"host": "s3.anchor-local-1.amazonaws.com", "path": "/anchor-cache/k"}}, "GET /anchor-cache/k " + ours + " "},
		"a dual-stack host":              {"signed", []any{"https", "anchor-local-1", object{"host": "anchor-cache.s3.dualstack.anchor-local-1.amazonaws.com", "path": "/k"}}, "GET /anchor-cache/k " + ours + " "},
		"another host, by AWS_ENDPOINT_": {"signed", []any{"http", "anchor-local-1", with(foreign, "path", "/anchor-cache/k")}, "PUT /anchor-cache/k " + ours + " "},
		"a queue, by an SDK":             {"signed", []any{"https", "anchor-local-1", object{"hostname": "sqs.anchor-local-1.amazonaws.com", "path": "/", "method": "POST"}}, "POST / " + ours + " "},
	} {
		t.Run(name, func(t *testing.T) {
			wire := newWireServer(t)
			s := newAWSSite(t, wire, nil)
			if got := s.asks(t, "openNext", c.call, c.args...); got != `"answered"` {
				t.Errorf("got %s", got)
			}
			if diff := cmp.Diff([]string{c.want}, wire.asked()); diff != "" {
				t.Error(diff)
			}
		})
	}
	if asked := elsewhere.asked(); len(asked) > 0 {
		t.Errorf("the app's own endpoint was asked: %v", asked)
	}
}

func with(o object, name string, value any) object {
	all := object{name: value}
	for k, v := range o {
		all[k] = v
	}
	return all
}

func TestAWS_AppCallsReachAWS(t *testing.T) {
	t.Parallel()
	wire := newWireServer(t)
	s := newAWSSite(t, wire, nil)
	for _, host := range []string{
		"pictures.s3.eu-west-1.amazonaws.com", "s3.amazonaws.com", "dynamodb.us-east-1.amazonaws.com", "sqs.eu-central-1.amazonaws.com",
		"anchor-cache.s3.us-east-1.amazonaws.com", "s3.anchor-local-1.amazonaws.com.example", "anchor-local-1.example",
	} {
		for how, got := range map[string]string{
			"fetch": s.asks(t, "openNext", "fetch", "https://"+host+"/k"),
			"https": s.asks(t, "openNext", "signed", "https", "eu-west-1", object{"host": host, "path": "/k"}),
		} {
			if got != `"to `+host+`"` {
				t.Errorf("%s, %s: %s", how, host, got)
			}
		}
	}
	if asked := wire.asked(); len(asked) > 0 {
		t.Errorf("led to Anchor: %v", asked)
	}
}

func TestAWS_CredentialsForOpenNextOnly(t *testing.T) {
	t.Parallel()
	own := map[string]string{"AWS_ACCESS_KEY_ID": "MINE", "AWS_SECRET_ACCESS_KEY": "S", "AWS_SESSION_TOKEN": "T", "AWS_PROFILE": "P"}
	for name, c := range map[string]struct {
		env           map[string]string
		openNext, app string
	}{
		"an app without any": {nil, `["OURS","hidden","undefined","undefined"]`, `["undefined","undefined","undefined","undefined"]`},
		"an app's own":       {own, `["MINE","S","T","undefined"]`, `["MINE","S","T","P"]`},
		"a profile":          {map[string]string{"AWS_PROFILE": "P"}, `["OURS","hidden","undefined","undefined"]`, `["undefined","undefined","undefined","P"]`},
		"half a pair":        {map[string]string{"AWS_ACCESS_KEY_ID": "MINE"}, `["OURS","hidden","undefined","undefined"]`, `["MINE","undefined","undefined","undefined"]`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newAWSSite(t, newWireServer(t), c.env)
			for who, want := range map[string]string{"openNext": c.openNext, "monorepo": c.openNext, "app": c.app, "packaged": c.app, "workspace": c.app} {
				if got := s.asks(t, who, "credentials"); got != want {
					t.Errorf("%s reads %s, want %s", who, got, want)
				}
			}
		})
	}
}

func TestAWS_EnvironmentHidesWire(t *testing.T) {
	t.Parallel()
	s := newAWSSite(t, newWireServer(t), map[string]string{"AWS_REGION": "eu-west-1", "GONE": "x"})
	if got := s.asks(t, "app", "environment"); got != `["AWS_REGION"]` {
		t.Errorf("the app sees %s", got)
	}
	if got := s.asks(t, "app", "assign"); got != `["1",false]` {
		t.Errorf("assigned and deleted: %s", got)
	}
}
