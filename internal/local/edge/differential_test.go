//go:build slow

package edge

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/testport"
)

// exchangeCase is a pair of requests for one address, and what the origin answers. No time passes between
// them: a case that is about time has an Age, a Date or an Expires.
type exchangeCase struct {
	name    string
	status  int
	header  http.Header
	first   http.Header // fields of the requests
	second  http.Header
	method  string // of the second request
	between string // method of a request between them, "" for none
}

func (c exchangeCase) has(name, part string) bool {
	return strings.Contains(strings.ToLower(strings.Join(c.header[name], ",")), part)
}

// result is what a cache did with the second request.
type result struct {
	Reused bool // the origin did not see it
	Status int
	Length int // of the body
}

// calls answers the cases, and counts the GET and HEAD requests of each.
type calls struct {
	cases []exchangeCase
	mu    sync.Mutex
	seen  map[int]int
}

func (o *calls) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
	if err != nil || n >= len(o.cases) {
		w.WriteHeader(http.StatusOK) // a look whether the peer is there
		return
	}
	c := o.cases[n]
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		o.mu.Lock()
		o.seen[n]++
		o.mu.Unlock()
	}
	for name, values := range c.header {
		w.Header()[name] = values
	}
	if tag := c.header.Get("Etag"); tag != "" && r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.WriteHeader(c.status)
	if c.status != http.StatusNoContent {
		_, _ = io.WriteString(w, "0123456789")
	}
}

func (o *calls) count(n int) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen[n]
}

// run sends the requests of each case to the cache at base.
func (o *calls) run(t *testing.T, base, host string) []result {
	t.Helper()
	client := &http.Client{
		Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 4},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	send := func(n int, method string, fields http.Header) (status, length int) {
		r, err := http.NewRequestWithContext(t.Context(), method, fmt.Sprintf("%s/%d", base, n), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		for name, values := range fields {
			r.Header[name] = values
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatalf("%s: %v", o.cases[n].name, err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatalf("%s: %v", o.cases[n].name, err)
		}
		return answer.StatusCode, len(body)
	}
	results := make([]result, len(o.cases))
	for n, c := range o.cases {
		send(n, http.MethodGet, c.first)
		if c.between != "" {
			send(n, c.between, nil)
		}
		before := o.count(n)
		status, length := send(n, c.method, c.second)
		results[n] = result{o.count(n) == before, status, length}
	}
	return results
}

// controls are values of Cache-Control; those with a | have two lines.
var controls = []string{
	"", "max-age=60", "s-maxage=60", "public, max-age=60", "public", "private, max-age=60", "private, s-maxage=60", "no-store, s-maxage=60",
	"no-cache, s-maxage=60", "s-maxage=0, max-age=60", "s-maxage=60, max-age=0", "public, max-age=0", "S-MaxAge=60", `s-maxage="60"`,
	"s-maxage=-1", "s-maxage=60.5", "s-maxage=60s", "s-maxage=", "s-maxage=99999999999999999999", "s-maxage=60, s-maxage=0",
	"s-maxage=60|max-age=60", "s-maxage=60, must-revalidate", "s-maxage=60, proxy-revalidate", "s-maxage=60, immutable",
	"s-maxage=60, unknown=1", "s-maxage=60, stale-while-revalidate=10", "s-maxage=0, stale-if-error=60", `private="x", s-maxage=60`,
	`no-cache="x", s-maxage=60`, "s-maxage=60,", ",s-maxage=60", "s-maxage = 60", "xs-maxage=60, public", "max-age=60, x-no-store=1",
}

// answerFields are further fields of the answer, in pairs.
var answerFields = map[string][]string{
	"":                   nil,
	"fresh by Age":       {"Age", "30"},
	"stale by Age":       {"Age", "100"},
	"bad Age":            {"Age", "soon"},
	"Expires later":      {"Expires", "Fri, 01 Jan 2100 00:00:00 GMT"},
	"Expires invalid":    {"Expires", "0"},
	"Vary":               {"Vary", "Accept"},
	"Vary: *":            {"Vary", "*"},
	"Set-Cookie":         {"Set-Cookie", "a=b"},
	"Last-Modified long": {"Last-Modified", "Sat, 01 Jan 2000 00:00:00 GMT"},
	"Pragma":             {"Pragma", "no-cache"},
}

// caseOf returns a case of two plain requests.
func caseOf(control, what string, status int) exchangeCase {
	h := header(answerFields[what]...)
	h.Set("Content-Type", "text/plain")
	if control != "" {
		h["Cache-Control"] = strings.Split(control, "|")
	}
	return exchangeCase{name: fmt.Sprintf("%d [%s] %s", status, control, what), status: status, header: h, method: http.MethodGet}
}

func header(fields ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(fields); i += 2 {
		h.Add(fields[i], fields[i+1])
	}
	return h
}

// exchangeCases are all combinations that are compared.
func exchangeCases() []exchangeCase {
	var all []exchangeCase
	for what := range answerFields {
		for _, control := range controls {
			all = append(all, caseOf(control, what, http.StatusOK))
		}
	}
	for _, status := range []int{203, 204, 300, 301, 302, 303, 307, 308, 400, 403, 404, 405, 410, 414, 500, 501, 503} {
		for _, control := range []string{"", "public", "s-maxage=60", "private, s-maxage=60"} {
			all = append(all, caseOf(control, "", status))
		}
	}
	requests := map[string][2]http.Header{
		"Authorization":         {header("Authorization", "Basic eA=="), header("Authorization", "Basic eQ==")},
		"Authorization first":   {header("Authorization", "Basic eA=="), nil},
		"Authorization second":  {nil, header("Authorization", "Basic eA==")},
		"Cookie":                {header("Cookie", "a=1"), header("Cookie", "a=2")},
		"Range":                 {nil, header("Range", "bytes=0-3")},
		"Range first":           {header("Range", "bytes=0-3"), nil},
		"bad Range":             {nil, header("Range", "bytes=50-")},
		"If-None-Match":         {nil, header("If-None-Match", `"tag"`)},
		"If-None-Match other":   {nil, header("If-None-Match", `"other"`)},
		"If-None-Match first":   {header("If-None-Match", `"tag"`), nil},
		"no-cache":              {nil, header("Cache-Control", "no-cache")},
		"no-store":              {nil, header("Cache-Control", "no-store")},
		"max-age=0":             {nil, header("Cache-Control", "max-age=0")},
		"only-if-cached":        {nil, header("Cache-Control", "only-if-cached")},
		"Accept differs":        {header("Accept", "a"), header("Accept", "b")},
		"Accept is spaced":      {header("Accept", "a,b"), header("Accept", "a, b")},
		"Pragma of the request": {nil, header("Pragma", "no-cache")},
	}
	for what, pair := range requests {
		for _, control := range []string{"s-maxage=60", "public, max-age=60", "max-age=60", "s-maxage=0"} {
			c := caseOf(control, "", http.StatusOK)
			c.header.Set("Etag", `"tag"`)
			c.header.Set("Vary", "Accept")
			c.name, c.first, c.second = c.name+" request: "+what, pair[0], pair[1]
			all = append(all, c)
		}
	}
	for _, method := range []string{"HEAD", "POST", "PUT", "DELETE"} {
		c := caseOf("s-maxage=60", "", http.StatusOK)
		if c.name += " " + method; method == "HEAD" {
			c.method = method
		} else {
			c.between = method
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b exchangeCase) int { return strings.Compare(a.name, b.name) })
	return all
}

// nginxCache is nginx as a cache that obeys the answers, without lifetimes of its own.
const nginxCache = `daemon off;
master_process off;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log warn;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  proxy_cache_path %[1]s/cache keys_zone=c:8m;
  server {
    listen 127.0.0.1:%[2]d;
    location / {
      proxy_pass %[3]s;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_cache c;
      proxy_cache_revalidate on;
    }
  }
}
`

const varnishCache = `vcl 4.1;
backend default { .host = "%s"; .port = "%s"; }
`

// startPeer runs a cache in front of origin, and returns its address once it answers.
func startPeer(t *testing.T, program string, arguments func(dir string, port int) []string) string {
	t.Helper()
	program, err := findPeer(program)
	if err != nil {
		t.Fatalf("scripts/install-bench-peers installs what is needed: %v", err)
	}
	dir, err := os.MkdirTemp("", "peer") // short, for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	port, err := testport.Get()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	peer := exec.Command(program, arguments(dir, port)...)
	peer.Stdout, peer.Stderr = log, log
	if err := peer.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = peer.Process.Signal(os.Interrupt)
		_ = peer.Wait()
		log.Close()
		os.RemoveAll(dir)
	})
	base := fmt.Sprintf("http://127.0.0.1:%d", port)
	for end := time.Now().Add(time.Minute); ; {
		if answer, err := http.Get(base + "/there"); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return base
			}
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("%s does not answer: %s", program, text)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// findPeer also looks where Debian installs servers, which is not in everybody's PATH.
func findPeer(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return exec.LookPath(filepath.Join("/usr/sbin", program))
	}
	return path, nil
}

func startNginx(t *testing.T, origin string) string {
	return startPeer(t, "nginx", func(dir string, port int) []string {
		conf := filepath.Join(dir, "nginx.conf")
		if err := os.WriteFile(conf, fmt.Appendf(nil, nginxCache, dir, port, origin), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{"-p", dir, "-c", conf, "-e", filepath.Join(dir, "error.log")}
	})
}

func startVarnish(t *testing.T, origin string) string {
	return startPeer(t, "varnishd", func(dir string, port int) []string {
		host, backend, _ := strings.Cut(strings.TrimPrefix(origin, "http://"), ":")
		vcl := filepath.Join(dir, "vcl")
		if err := os.WriteFile(vcl, fmt.Appendf(nil, varnishCache, host, backend), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{
			"-F", "-n", filepath.Join(dir, "n"), "-a", fmt.Sprintf("127.0.0.1:%d", port), "-f", vcl, "-j", "none", "-s", "malloc,32m",
			"-p", "default_ttl=0", "-p", "default_grace=0", "-p", "default_keep=60",
		}
	})
}

// TestDifferential_NginxAndVarnish sends the same exchanges to this cache, nginx and Varnish. What
// differs is in the table of explanations, and what the table explains occurs.
func TestDifferential_NginxAndVarnish(t *testing.T) {
	cases := exchangeCases()
	fresh := func() *calls { return &calls{cases: cases, seen: map[int]int{}} }
	ours := fresh()
	a := cached(t, Config{}, func(_ *cachedApp, w http.ResponseWriter, r *http.Request) { ours.ServeHTTP(w, r) })
	got := ours.run(t, "http://"+a.addr, "a.test")
	used := make([]int, len(explanations))
	for name, start := range map[string]func(*testing.T, string) string{"nginx": startNginx, "varnish": startVarnish} {
		theirs := fresh()
		origin := httptest.NewServer(theirs)
		t.Cleanup(origin.Close)
		other := theirs.run(t, start(t, origin.URL), "a.test")
		same := 0
		for n, c := range cases {
			if got[n] == other[n] {
				same++
				continue
			}
			i := slices.IndexFunc(explanations, func(e explanation) bool {
				return (e.peer == "" || e.peer == name) && e.reused == got[n].Reused && e.applies(c)
			})
			if i < 0 {
				t.Errorf("%s: %s\n\tours %+v, %s %+v", name, c.name, got[n], name, other[n])
				continue
			}
			used[i]++
		}
		t.Logf("%s: %d of %d exchanges are alike", name, same, len(cases))
	}
	for i, e := range explanations {
		if used[i] == 0 {
			t.Errorf("no difference needs this: %s %s: %s", e.peer, e.section, e.why)
		}
		t.Logf("%3d %-7s %-22s %s", used[i], e.peer, e.section, e.why)
	}
}
