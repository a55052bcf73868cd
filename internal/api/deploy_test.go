package api_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
	"github.com/anchor-deploy/anchor/internal/api/filepack"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

func TestUpload_RefusesUndeclaredContent(t *testing.T) {
	base := withShop(t, api.Options{MaxFile: 10})
	put := func(digest, body string) answer {
		return call(t, base, "PUT", "/projects/shop/files/"+digest, apitest.DeployToken, body, nil)
	}
	hello := string(artifact.DigestOf([]byte("hello")))
	put(hello, "jello").isProblem(t, 400, "wrong_digest")
	put(hello, "hello").is(t, 200)
	put(hello, "jello").is(t, 200) // what is stored already is not read again
	put(strings.ToUpper(hello), "hello").isProblem(t, 400, "")
	put("abc", "hello").isProblem(t, 400, "bad_field")
	put(hello, "more than ten bytes").isProblem(t, 413, "file_too_large")
	call(t, base, "PUT", "/projects/shop/files/"+hello, apitest.DeployToken, "hello", http.Header{"Content-Type": {"text/plain"}}).
		isProblem(t, 415, "unsupported_media_type")
}

func TestUpload_RequiresLength(t *testing.T) {
	base := withShop(t, api.Options{})
	req, err := http.NewRequest("PUT", base+"/projects/shop/files/"+string(artifact.DigestOf([]byte("x"))), io.MultiReader(strings.NewReader("x")))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+apitest.DeployToken)
	req.Header.Set("Content-Type", "application/octet-stream")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusLengthRequired {
		t.Errorf("a chunked upload is answered %d, want 411", res.StatusCode)
	}
}

func TestUploadPack_KeepsFilesBeforeFault(t *testing.T) {
	base := withShop(t, api.Options{})
	good, bad := []byte("good"), []byte("bad")
	entries := []filepack.Entry{
		{Digest: string(artifact.DigestOf(good)), Size: 4},
		{Digest: string(artifact.DigestOf([]byte("gut"))), Size: 3}, // announces what it is not
	}
	var pack bytes.Buffer
	contents := [][]byte{good, bad}
	err := filepack.Write(&pack, entries, func(filepack.Entry) (io.ReadCloser, error) {
		c := contents[0]
		contents = contents[1:]
		return io.NopCloser(bytes.NewReader(c)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	call(t, base, "POST", "/projects/shop/files", apitest.DeployToken, pack.String(), nil).isProblem(t, 400, "wrong_digest")
	started := start(t, base, "", file("a", good), file("b", bad))
	if len(started.Missing) != 1 || started.Missing[0] != artifact.DigestOf(bad) {
		t.Errorf("missing %v, want only that of %q", started.Missing, bad)
	}
}

// A CLI of the version before deploys to this server.
func TestUploadPack_OfEarlierClient(t *testing.T) {
	base := withShop(t, api.Options{})
	content := []byte("page")
	sum := sha256.Sum256(content)
	pack := "anchorpack1\n\x00\x00\x00\x01" + string(sum[:]) + "\x00\x00\x00\x00\x00\x00\x00\x04" + string(content)
	call(t, base, "POST", "/projects/shop/files", apitest.DeployToken, pack, http.Header{"Content-Type": {wire.PackTypeV1}}).is(t, 200)
	if started := start(t, base, "", file("index.html", content)); len(started.Missing) != 0 {
		t.Errorf("missing %v", started.Missing)
	}
}

func TestDeployment_GoesLive(t *testing.T) {
	base := withShop(t, api.Options{})
	dir, manifest := app(t)
	started := start(t, base, "a message", manifest.Files...)
	one := "/projects/shop/deployments/" + string(started.Deployment.ID)
	call(t, base, "POST", one+"/finish", apitest.DeployToken, "", nil).isProblem(t, 409, "files_missing")
	call(t, base, "GET", "/projects/shop/live", apitest.ReadToken, "", nil).isProblem(t, 404, "never_live")
	send(t, base, dir, manifest)
	call(t, base, "POST", one+"/finish", apitest.DeployToken, "", nil).is(t, 202)
	events(t, base, one, "")

	var d wire.Deployment
	call(t, base, "GET", one, apitest.ReadToken, "", nil).decode(t, &d)
	if d.Status != "deployed" || !d.Live || d.URL != "http://shop.localhost:3000" || d.DeploymentURL != "http://"+string(d.ID)+"--shop.localhost:3000" {
		t.Errorf("the deployment is %+v", d)
	}
	for _, name := range []string{"deploymentId", "projectId", "commitSha", "commitMessage", "branch", "status", "version", "createdAt",
		"deployedAt", "functions", "lambdaServerVersionArn", "lambdaImageVersionArn", "lambdaServerAliasArn", "staticAssetsPath",
		"isRollback", "rollbackFrom", "rollbackTo", "errorStep", "errorMessage", "url", "deploymentUrl", "live"} {
		if body := call(t, base, "GET", one, apitest.ReadToken, "", nil).body; !strings.Contains(body, `"`+name+`":`) {
			t.Errorf("the record lacks %s: %s", name, body)
		}
	}
}

func TestEvents_ContinueAfterLastSeen(t *testing.T) {
	base := withShop(t, api.Options{})
	one := deploy(t, base, "")
	all := events(t, base, one, "")
	if len(all) < 3 || all[len(all)-1].name != wire.EventEnd || all[len(all)-2].name != "status" {
		t.Fatalf("the stream holds %v", all)
	}
	rest := events(t, base, one, all[2].id)
	if len(rest) != len(all)-3 || rest[0].id != all[3].id {
		t.Errorf("after %s the stream holds %v", all[2].id, rest)
	}
	call(t, base, "GET", one+"/events", apitest.ReadToken, "", http.Header{"Last-Event-Id": {"-1"}}).isProblem(t, 400, "bad_last_event_id")
	call(t, base, "GET", one+"/events", apitest.ReadToken, "", http.Header{"Last-Event-Id": {"x"}}).isProblem(t, 400, "bad_last_event_id")
}

func TestEvents_SilentStreamHasHeartbeat(t *testing.T) {
	base := withShop(t, api.Options{Heartbeat: time.Millisecond})
	one := finish(t, base, apitest.HangProbe)
	lines := stream(t, base, one, "")
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), ": still") {
			break
		}
	}
	call(t, base, "POST", one+"/cancel", apitest.DeployToken, "", nil).is(t, 200)
	last := ""
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			last = name
		}
	}
	if last != wire.EventEnd {
		t.Errorf("the stream ended with %q after a cancel", last)
	}
	call(t, base, "POST", one+"/cancel", apitest.DeployToken, "", nil).isProblem(t, 409, "ended")
}

func TestRollback(t *testing.T) {
	base := withShop(t, api.Options{})
	first := idOf(deploy(t, base, ""))
	second := idOf(deploy(t, base, ""))
	failed := idOf(deploy(t, base, apitest.FailProbe))
	call(t, base, "POST", "/projects", apitest.DeployToken, `{"slug":"other"}`, nil).is(t, 201)
	roll := func(project, body string) answer {
		return call(t, base, "POST", "/projects/"+project+"/rollback", apitest.DeployToken, body, nil)
	}
	to := func(id string) string { return fmt.Sprintf(`{"targetDeploymentId":%q}`, id) }

	roll("shop", `{}`).isProblem(t, 400, "no_target")
	roll("shop", to("")).isProblem(t, 400, "no_target")
	roll("shop", `{"targetDeploymentId":"x","previous":true}`).isProblem(t, 400, "two_targets")
	roll("nowhere", to(first)).isProblem(t, 404, "unknown_project")
	roll("shop", to("01hzzzzzzzzzzzzzzzzzzzzzzz")).isProblem(t, 404, "unknown_deployment")
	roll("other", to(first)).isProblem(t, 404, "unknown_deployment")
	roll("shop", to(failed)).isProblem(t, 409, "never_deployed")

	var r map[string]any
	roll("shop", to(first)).decode(t, &r)
	want := map[string]any{"rolledBackTo": first, "previousVersion": "2", "newAliasVersion": "1", "previousLabel": "v2", "newLabel": "v1"}
	for name, value := range want {
		if r[name] != value {
			t.Errorf("%s is %v, want %v", name, r[name], value)
		}
	}
	if _, number := r["rollbackTimeMs"].(float64); !number || len(r) != 8 || r["message"] == "" || r["deploymentId"] == first {
		t.Errorf("the answer is %v", r)
	}
	var d wire.Deployment
	call(t, base, "GET", "/projects/shop/deployments/"+r["deploymentId"].(string), apitest.ReadToken, "", nil).decode(t, &d)
	if !d.IsRollback || d.CreatedBy != "deploy" || string(d.RollbackTo) != first || !d.Live || !strings.Contains(d.DeploymentURL, first) {
		t.Errorf("the rollback's record is %+v", d)
	}
	roll("shop", `{"previous":true}`).decode(t, &r)
	if r["rolledBackTo"] != second {
		t.Errorf("the one live before is %v, want %s", r["rolledBackTo"], second)
	}
}

func withShop(t *testing.T, o api.Options) string {
	t.Helper()
	base := apitest.Serve(t, apitest.New(t, apitest.Options{}).Services(), o, nil)
	call(t, base, "POST", "/projects", apitest.DeployToken, `{"slug":"shop"}`, nil).is(t, 201)
	return base
}

func file(path string, content []byte) artifact.File {
	return artifact.File{Path: path, Size: int64(len(content)), Digest: artifact.DigestOf(content)}
}

func start(t *testing.T, base, message string, files ...artifact.File) wire.StartedDeployment {
	t.Helper()
	body, err := json.Marshal(wire.StartDeployment{Manifest: artifact.Manifest{Files: files}, CommitMessage: message})
	if err != nil {
		t.Fatal(err)
	}
	var started wire.StartedDeployment
	call(t, base, "POST", "/projects/shop/deployments", apitest.DeployToken, string(body), nil).decode(t, &started)
	return started
}

// deploy follows a deployment to its end and returns its path.
func deploy(t *testing.T, base, message string) string {
	t.Helper()
	one := finish(t, base, message)
	events(t, base, one, "")
	return one
}

// finish uploads a deployment and returns its path when its pipeline has begun.
func finish(t *testing.T, base, message string) string {
	t.Helper()
	dir, manifest := app(t)
	started := start(t, base, message, manifest.Files...)
	send(t, base, dir, manifest)
	one := "/projects/shop/deployments/" + string(started.Deployment.ID)
	call(t, base, "POST", one+"/finish", apitest.DeployToken, "", nil).is(t, 202)
	return one
}

// app returns the folder and the manifest of a small OpenNext build.
func app(t *testing.T) (dir string, m artifact.Manifest) {
	t.Helper()
	dir = platformtest.NewApp("one").Write(t)
	m, err := artifact.Scan(t.Context(), dir, nil)
	check(t, err)
	return dir, m
}

// send uploads all files of a manifest.
func send(t *testing.T, base, dir string, m artifact.Manifest) {
	t.Helper()
	for _, f := range m.Files {
		content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f.Path)))
		check(t, err)
		call(t, base, "PUT", "/projects/shop/files/"+string(f.Digest), apitest.DeployToken, string(content), nil).is(t, 200)
	}
}

func idOf(path string) string { return path[strings.LastIndex(path, "/")+1:] }

type sent struct{ id, name string }

func events(t *testing.T, base, deployment, after string) []sent {
	t.Helper()
	var out []sent
	var e sent
	for lines := stream(t, base, deployment, after); lines.Scan(); {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			out = append(out, e)
			e = sent{}
		}
	}
	return out
}

func stream(t *testing.T, base, deployment, after string) *bufio.Scanner {
	t.Helper()
	req, err := http.NewRequest("GET", base+deployment+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+apitest.ReadToken)
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if ct := res.Header.Get("Content-Type"); res.StatusCode != 200 || ct != "text/event-stream" {
		t.Fatalf("the stream is answered %d %s", res.StatusCode, ct)
	}
	return bufio.NewScanner(res.Body)
}
