package server_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// cronApp answers what it was asked with: 500 at /fails, a redirect at /moved.
const cronApp = `export const handler = awslambda.streamifyResponse(async (event, stream) => {
  const h = event.headers;
  console.log("asked", event.rawPath, event.rawQueryString, h.authorization, h["user-agent"], h.host, h["x-forwarded-host"]);
  const statusCode = { "/fails": 500, "/moved": 308 }[event.rawPath] ?? 200;
  stream.setContentType("application/vnd.awslambda.http-integration-response");
  stream.write(JSON.stringify({ statusCode, headers: { "content-type": "text/plain", location: "/elsewhere" } }));
  stream.write(Buffer.alloc(8));
  stream.end("done");
});
`

// ran runs a cron and returns the run at its end.
func (f *pushFixture) ran(path string) (end anchor.CronRun) {
	f.Helper()
	run, err := f.api.StartCron(f.Context(), "shop", path)
	if err != nil {
		f.Fatal(err)
	}
	f.until("the cron ends", func() bool {
		runs, err := f.api.CronRuns(f.Context(), "shop", path, 1)
		if err != nil || len(runs) != 1 || runs[0].ID != run.ID {
			f.Fatalf("the runs are %+v, %v", runs, err)
		}
		end = runs[0]
		return end.Status != anchor.CronRunning
	})
	return end
}

func TestCrons_OfAPush(t *testing.T) {
	f := newPushFixture(t, nil)
	f.write("anchor.json", `{"crons":[{"path":"/api/digest?all=1","schedule":"0 5 * * *"},{"path":"/fails","schedule":"0 5 * * *"},{"path":"/moved","schedule":"0 5 * * *"}]}`)
	err := f.api.SetEnv(t.Context(), "shop", []wire.SetVar{{Name: "CRON_SECRET", Value: "s3cret", For: anchor.EnvRun}})
	if err != nil {
		t.Fatal(err)
	}
	tree := platformtest.NewApp("one").Server(cronApp).Write(t)
	if err := os.CopyFS(filepath.Join(f.folder, "tree"), os.DirFS(tree)); err != nil {
		t.Fatal(err)
	}
	f.commit("one")
	f.says(f.push("main"), "3 crons run while this deployment is live")

	crons, err := f.api.Crons(t.Context(), "shop")
	if err != nil || len(crons) != 3 || crons[0].Path != "/api/digest?all=1" || crons[0].NextAt == 0 || crons[0].LastRun != nil {
		t.Fatalf("the crons are %+v, %v", crons, err)
	}
	if r := f.ran("/api/digest?all=1"); r.Status != anchor.CronSucceeded || r.HTTPStatus != 200 || r.DeploymentID != f.newest() {
		t.Errorf("the run is %+v", r)
	}
	if r := f.ran("/fails"); r.Status != anchor.CronFailed || r.HTTPStatus != 500 || !strings.Contains(r.Message, "answered 500") {
		t.Errorf("the run is %+v", r)
	}
	if r := f.ran("/moved"); r.Status != anchor.CronFailed || !strings.Contains(r.Message, "redirects to /elsewhere") {
		t.Errorf("the run is %+v", r)
	}
	var printed string
	f.until("the app's line is in the log", func() bool {
		lines, err := f.api.Logs(t.Context(), "shop", anchor.LogFilter{}, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			if strings.Contains(line.Text, "/api/digest") {
				printed = line.Text
			}
		}
		return printed != ""
	})
	if !strings.Contains(printed, "asked /api/digest all=1 Bearer s3cret anchor-cron/1.0") || !strings.Contains(printed, "shop.localhost") {
		t.Errorf("the app was asked with %q", printed)
	}

	if _, err := f.api.StartCron(t.Context(), "shop", "/other"); anchor.CodeOf(err) != "unknown_cron" {
		t.Errorf("an unknown cron is run: %v", err)
	}
	if crons, err = f.api.PauseCron(t.Context(), "shop", "/fails", true); err != nil || !crons[1].Paused || crons[1].NextAt != 0 || crons[0].Paused {
		t.Errorf("the crons are %+v, %v", crons, err)
	}
	// A preview changes nothing, and the next deployment replaces the crons.
	f.git("checkout", "--quiet", "-b", "feature/x")
	f.write("anchor.json", `{"crons":[]}`)
	f.commit("none")
	f.push("feature/x")
	if crons, err = f.api.Crons(t.Context(), "shop"); err != nil || len(crons) != 3 {
		t.Errorf("with a preview the crons are %+v, %v", crons, err)
	}
	f.git("checkout", "--quiet", "main")
	f.git("rm", "--quiet", "anchor.json")
	f.write("vercel.json", `{"crons":[{"path":"/fails","schedule":"*/5 * * * *"}],"regions":["fra1"]}`)
	f.commit("two")
	f.push("main")
	if crons, err = f.api.Crons(t.Context(), "shop"); err != nil || len(crons) != 1 || crons[0].Schedule != "*/5 * * * *" || !crons[0].Paused {
		t.Errorf("the crons are %+v, %v", crons, err)
	}
}

func TestCrons_BadOnesFailTheBuild(t *testing.T) {
	f := newPushFixture(t, nil)
	f.write("vercel.json", `{"crons":[{"path":"/a","schedule":"every day"}]}`)
	f.app("one")
	f.refused([]string{`"every day" cannot be the schedule of the cron /a`, "five fields"}, "main")
}
