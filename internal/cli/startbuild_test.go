package cli

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// printing is an api.RemoteBuilds whose builds print fifty lines.
type printing struct{ deploys *deploy.Service }

func (p printing) Lines(ctx context.Context, id anchor.ProjectID, d anchor.DeploymentID, _ bool) iter.Seq2[anchor.LogLine, error] {
	return p.LinesFrom(ctx, id, d, 0)
}

func (printing) LinesFrom(_ context.Context, _ anchor.ProjectID, _ anchor.DeploymentID, from int64) iter.Seq2[anchor.LogLine, error] {
	return func(yield func(anchor.LogLine, error) bool) {
		for n := from; n < 50; n++ {
			if !yield(anchor.LogLine{Time: n, Text: fmt.Sprintf("line %d of the build", n)}, nil) {
				return
			}
		}
	}
}

func (p printing) Retry(ctx context.Context, project anchor.Project, _ anchor.DeploymentID) (anchor.Deployment, error) {
	return p.deploys.StartBuild(ctx, project.ID, deploy.BuildRequest{Repository: "https://git.example/shop", Branch: "main"})
}

// Without a terminal, a build shows what it prints and the steps of its deployment, and no control characters.
func TestBuildsStart_ShowsWhatTheBuildPrints(t *testing.T) {
	services := apitest.New(t, apitest.Options{}).Services()
	services.Remote = printing{services.Deploys}
	t.Setenv("ANCHOR_URL", apitest.Serve(t, services, api.Options{}, nil))
	t.Setenv("ANCHOR_TOKEN", apitest.AdminToken)
	call := func(args ...string) (string, string, int) {
		var out, errs bytes.Buffer
		code := run(t.Context(), append(args, "--project", "shop"), IOStreams{In: strings.NewReader(""), Out: &out, Err: &errs, Width: 80}, Parts{})
		return out.String(), errs.String(), code
	}
	if _, err := services.Projects.Create(t.Context(), "shop", "main"); err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	out, errs, code := call("builds", "start", "--repo", "https://git.example/shop", "--ref", "main")
	if code != 0 || !strings.Contains(errs, "  │ line 0 of the build\n") || !strings.Contains(errs, "✓ ") || strings.Contains(errs+out, "\x1b") {
		t.Errorf("it prints %q and %q, %d", out, errs, code)
	}
	out, errs, code = call("builds", "start", "--repo", "https://git.example/shop", "--ref", "main", "--json")
	if code != 0 || errs != "" || !strings.HasPrefix(out, "{") {
		t.Errorf("as JSON it prints %q and %q, %d", out, errs, code)
	}
	out, _, code = call("builds", "ls", "--json")
	_, id, _ := strings.Cut(out, `"deploymentId": "`)
	id, _, _ = strings.Cut(id, `"`)
	if code != 0 || id == "" {
		t.Fatalf("the builds are %s, %d", out, code)
	}
	out, errs, code = call("builds", "logs", "-f", id)
	if lines := strings.Count(out, "\n"); code != 0 || lines != 50 || errs != "" {
		t.Errorf("its log has %d lines, and %q, %d", lines, errs, code)
	}
}
