//go:build slow

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// TestRefusalsOnAWS covers what AWS cannot run, or does not let us do. Each error says what to
// do, and the live deployment stays live.
func TestRefusalsOnAWS(t *testing.T) {
	t.Parallel()
	a := onAWS(t)
	const slug = "a-slug-of-the-length-that-is-allowed"
	live := a.deploy(platformtest.NewApp("one").Write(t), "shop").DeploymentID
	small := platformtest.NewApp("two")
	for name, c := range map[string]struct {
		tree    func(t *testing.T) string
		project string
		env     string // a variable's value
		denied  string // an action that the handler's role lacks
		step    string // "": refused before a file is sent, and without a record
		says    []string
	}{
		"a bundle over 250 MB": {tree: oversized, says: []string{`function default is 25\d MB unpacked`, `at most 250`, `outputFileTracingExcludes`}},
		"a function's name over 64 characters": {
			tree: func(t *testing.T) string {
				return small.Split("a-split-function-of-a-long-name", "split", "two").Write(t)
			},
			project: slug[:35], says: []string{`over 64 characters`, `open-next\.config\.ts`},
		},
		"an environment over 4 KB": {
			tree: func(t *testing.T) string { return small.Write(t) }, env: strings.Repeat("x", 4<<10),
			says: []string{`on Lambda there is room for 3072`, `HUGE \(41\d\d bytes\)`, `anchor env rm`},
		},
		"a missing permission": {
			tree: func(t *testing.T) string { return small.Write(t) }, denied: "lambda:PublishVersion",
			step: "functions", says: []string{`lambda:PublishVersion`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			project := c.project
			if project == "" {
				project = "shop"
			}
			tree, before := c.tree(t), 0
			if c.project == "" {
				before = len(a.records(t, project))
			}
			if c.env != "" {
				if _, errs, code := a.run("env", "set", "HUGE="+c.env, "--project", project); code != 0 {
					t.Fatalf("set the variable: %s", errs)
				}
				defer a.run("env", "rm", "HUGE", "--project", project)
			}
			sent := a.cloud.CLI(t, "s3", "ls", "--recursive", "s3://"+a.made.ArtifactsBucket)
			a.lambda.deny(c.denied)
			defer a.lambda.deny("")
			out, errs, code := a.run("deploy", "--prebuilt", tree, "--project", project)
			if code != 1 && code != 2 || out != "" {
				t.Errorf("ended with %d; stdout: %q", code, out)
			}
			says(t, errs, append(c.says, `(?m)^error: `)...)
			var records []record
			if c.project == "" {
				records = a.records(t, project)
			} else if _, errs, code := a.run("deployments", "--project", project); code != 3 {
				t.Errorf("the project is left, of which this was the first deployment: %d %s", code, errs)
			}
			if c.step == "" && len(records) != before {
				t.Errorf("it is recorded: %+v", records[0])
			}
			if now := a.cloud.CLI(t, "s3", "ls", "--recursive", "s3://"+a.made.ArtifactsBucket); c.step == "" && now != sent {
				t.Errorf("it sent files; before there were\n%sand now\n%s", sent, now)
			}
			if c.step != "" && (len(records) == 0 || records[0].Status != "deploy_failed" || records[0].ErrorStep != c.step || records[0].ErrorMessage == "") {
				t.Errorf("the records are %+v", records)
			}
			if now := a.live(t); now != live {
				t.Errorf("live was %s and is %s", live, now)
			}
			a.wantLive(t, "shop", live)
			if list := a.cloud.CLI(t, "s3", "ls", "--recursive", "s3://"+a.made.AssetsBucket); c.step != "functions" && strings.Contains(list, "two") {
				t.Errorf("it uploaded %s", list)
			}
		})
	}
	t.Run("once it has the permission it continues", func(t *testing.T) {
		next := a.deploy(small.Write(t), "shop")
		a.wantLive(t, "shop", next.DeploymentID)
	})
}

// oversized returns an app whose server function is 251 MB unpacked, as a sparse file.
func oversized(t *testing.T) string {
	dir := platformtest.NewApp("two").Write(t)
	name := filepath.Join(dir, "server-functions", "default", "model.bin")
	if err := os.WriteFile(name, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, 251<<20); err != nil {
		t.Fatal(err)
	}
	return dir
}
