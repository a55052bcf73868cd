package forge

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// example is what a test checks of a payload against what Parse makes of it.
type example struct {
	Ref        string `json:"ref"`
	After      string `json:"after"`
	Deleted    bool   `json:"deleted"`
	Action     string `json:"action"`
	Repository struct {
		FullName string `json:"full_name"`
	} `json:"repository"`
	PullRequest struct {
		Number int64  `json:"number"`
		State  string `json:"state"`
		Head   struct {
			Ref string `json:"ref"`
			SHA string `json:"sha"`
		} `json:"head"`
	} `json:"pull_request"`
}

// TestParse_GitHubExamples reads every push, pull request and ping that GitHub publishes as an
// example, of its service and of five versions of its server.
func TestParse_GitHubExamples(t *testing.T) {
	files, err := filepath.Glob("payloads/node_modules/@octokit/webhooks-examples/*/index.json")
	if err != nil || len(files) < 6 {
		t.Fatalf("the examples are not installed (%d files, %v): run make payloads", len(files), err)
	}
	counts := map[string]int{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var all []struct {
			Name     string            `json:"name"`
			Examples []json.RawMessage `json:"examples"`
		}
		if err := json.Unmarshal(content, &all); err != nil {
			t.Fatal(err)
		}
		for _, kind := range all {
			for _, payload := range kind.Examples {
				counts[kind.Name]++
				checkExample(t, kind.Name, payload)
			}
		}
	}
	if counts["push"] < 14 || counts["pull_request"] < 46 || counts["ping"] < 11 || len(counts) < 50 {
		t.Errorf("read only %d pushes, %d pull requests, %d pings, %d kinds", counts["push"], counts["pull_request"], counts["ping"], len(counts))
	}
}

func checkExample(t *testing.T, name string, body []byte) {
	t.Helper()
	h := http.Header{"X-Github-Event": {name}, "Content-Type": {"application/json"}}
	h.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(sign([]byte("secret"), body)))
	payload, err := Authenticate(anchor.GitHub, h, body, "secret", time.Now())
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	events, err := Parse(anchor.GitHub, h, payload)
	if err != nil || len(events) != 1 {
		t.Fatalf("%s: %d events, %v", name, len(events), err)
	}
	var want example
	if err := json.Unmarshal(body, &want); name == "push" || name == "pull_request" {
		if err != nil {
			t.Fatal(err)
		}
	}
	e := events[0]
	branch, isBranch := strings.CutPrefix(want.Ref, "refs/heads/")
	switch {
	case name == "push" && isBranch:
		if e.Kind != Push || e.Branch != branch || e.Commit != want.After || e.Deleted != want.Deleted || e.Repository != want.Repository.FullName {
			t.Errorf("a push of %s is read as %+v", want.Ref, e)
		}
	case name == "pull_request" && hasAction(want.Action, "opened", "reopened", "synchronize", "closed", "edited"):
		p := want.PullRequest
		if e.Kind != Pull || e.Number != p.Number || e.Branch != p.Head.Ref || e.Commit != p.Head.SHA || e.Closed != (p.State == "closed") ||
			e.Repository != want.Repository.FullName || e.UpdatedAt < 1e12 {
			t.Errorf("a pull request that is %s is read as %+v", want.Action, e)
		}
	case e.Kind != Other:
		t.Errorf("%s %s %s is read as %+v", name, want.Action, want.Ref, e)
	}
}
