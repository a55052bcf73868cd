package platformtest

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Run asserts what both platforms promise. open returns a fresh installation and registers its
// end with t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	tests := []struct {
		name string
		test func(t *testing.T, s *stand)
	}{
		{"publish is idempotent", publishAgain},
		{"versions are immutable", versionsAreImmutable},
		{"a deployment has its URL before it is live", urlBeforeRelease},
		{"traffic follows the pointer", trafficFollows},
		{"traffic never goes back to an older revision", noOlderRevision},
		{"a route to nothing leaves traffic as it is", routeToNothing},
		{"a Prepare that is never committed changes nothing", prepareWithoutCommit},
		{"two Prepares, one Commit", twoPreparesOneCommit},
		{"a Switch outlives what others change", staleSwitch},
		{"a Switch that comes late does not go back", lateSwitch},
		{"a split divides traffic until it ends", splitTraffic},
		{"a split to nothing leaves traffic as it is", splitToNothing},
		{"hashed files outlive their deployment, public ones are the live one's", testAssets},
		{"a seed never overwrites what the app wrote", seedAgain},
		{"a probe refuses what is broken", probeRefuses},
		{"a remove lets requests end and can be repeated", removeDrains},
		{"a remove leaves the others alone", removeOne},
		{"a project is removed while its records exist", removeProject},
		{"a rollback's record serves its target", readyForARollback},
		{"all is there again after a restart", testRestart},
		{"a split function has its paths, by every method", splitFunction},
		{"a split function follows the pointer", splitFollows},
		{"images have a function of their own", testImages},
		{"a base path is before everything", basePath},
		{"a tag table is the deployment's own", testTags},
		{"external middleware runs before the routes", externalMiddleware},
		{"external middleware is live with its deployment", middlewareFollows},
		{"a client cannot say what only the front says", clientHeaders},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.test(t, newStand(t, open)) })
	}
}

func publishAgain(t *testing.T, s *stand) {
	a := s.newArtifact(t, NewApp("one"))
	first, second := s.publishArtifact(t, a), s.publishArtifact(t, a)
	if !reflect.DeepEqual(first, second) {
		t.Errorf("published again the versions are %v, not %v", second, first)
	}
	v := first[anchor.ServerFunction]
	if v.Version == "" || v.VersionARN == "" || v.CodeSha256 == "" {
		t.Errorf("the version is %+v", v)
	}
	s.wantPage(t, s.hostOf(a), "/", "one")
}

func versionsAreImmutable(t *testing.T, s *stand) {
	one := s.newArtifact(t, NewApp("one"))
	one.Env = map[string]string{"GREETING": "hello"}
	before := s.publishArtifact(t, one)[anchor.ServerFunction]
	two := s.newArtifact(t, NewApp("two"))
	two.Env = map[string]string{"GREETING": "good bye"}
	after := s.publishArtifact(t, two)[anchor.ServerFunction]
	same := s.newArtifact(t, NewApp("two"))
	again := s.publishArtifact(t, same)[anchor.ServerFunction]
	if before.Version == after.Version || before.VersionARN == after.VersionARN || before.CodeSha256 == after.CodeSha256 {
		t.Errorf("two deployments share a version: %+v, %+v", before, after)
	}
	if again.CodeSha256 != after.CodeSha256 {
		t.Error("equal code has two sums")
	}
	s.wantPage(t, s.hostOf(one), "/", "one")
	s.wantPage(t, s.hostOf(one), "/greeting", "hello")
	s.wantPage(t, s.hostOf(two), "/greeting", "good bye")
}

func urlBeforeRelease(t *testing.T, s *stand) {
	a, _ := s.prepareArtifact(t, NewApp("one"))
	s.wantPage(t, s.hostOf(a), "/", "one")
	s.wantPage(t, s.hostOf(a), "/public.txt", "public of one")
	s.wantGone(t, s.siteHost(), "/")
}

func trafficFollows(t *testing.T, s *stand) {
	one, _ := s.deployLive(t, "one")
	s.wantPage(t, s.siteHost(), "/", "one")
	two, _ := s.deployLive(t, "two")
	s.wantPage(t, s.siteHost(), "/", "two")
	s.wantPage(t, s.hostOf(one), "/", "one")
	s.wantPage(t, s.hostOf(two), "/", "two")
	_, err := s.releases.Rollback(t.Context(), s.project.ID, one.Deployment.ID)
	must(t, err)
	s.wantPage(t, s.siteHost(), "/", "one")
	s.wantPage(t, s.siteHost(), "/public.txt", "public of one")
}

func noOlderRevision(t *testing.T, s *stand) {
	_, older := s.deployLive(t, "one")
	_, newer := s.deployLive(t, "two")
	for _, live := range []anchor.Live{older, newer, older} {
		must(t, s.Platform.Follow(t.Context(), live))
		s.wantPage(t, s.siteHost(), "/", "two")
	}
}

func routeToNothing(t *testing.T, s *stand) {
	_, live := s.deployLive(t, "one")
	live.Deployment, live.Revision = anchor.DeploymentID(anchor.NewID()), live.Revision+1
	if err := s.Platform.Follow(t.Context(), live); err == nil {
		t.Error("it routes to a deployment that is not there")
	}
	if _, err := s.prepareSwitch(t, anchor.Deployment{ID: live.Deployment, ProjectID: s.project.ID}); err == nil {
		t.Error("it prepares a switch to a deployment that is not there")
	}
	s.wantPage(t, s.siteHost(), "/", "one")
}

func testAssets(t *testing.T, s *stand) {
	one, _ := s.deployLive(t, "one")
	s.deployLive(t, "two")
	const immutable, revalidate = "public,max-age=31536000,immutable", "public,max-age=0,must-revalidate"
	for path, want := range map[string][2]string{
		"/_next/static/chunks/one.js": {"chunk of one", immutable}, // of a page loaded before the deploy
		"/_next/static/chunks/two.js": {"chunk of two", immutable},
		"/public.txt":                 {"public of two", revalidate},
	} {
		s.wantPage(t, s.siteHost(), path, want[0])
		if got := s.sendRequest(t, http.MethodGet, s.siteHost(), path).header.Get("Cache-Control"); got != want[1] {
			t.Errorf("%s has Cache-Control %q, want %q", path, got, want[1])
		}
	}
	s.wantPage(t, s.hostOf(one), "/public.txt", "public of one")
	if status, _ := s.askPage(t, s.siteHost(), "/_next/static/chunks/none.js"); status != http.StatusNotFound {
		t.Errorf("a chunk that nobody has answers %d", status)
	}
	// OpenNext puts it among the static files, and it is not for visitors: the app answers.
	if status, body := s.askPage(t, s.siteHost(), "/BUILD_ID"); status != http.StatusNotFound {
		t.Errorf("/BUILD_ID answers %d %q", status, body)
	}
}

func seedAgain(t *testing.T, s *stand) {
	a := s.newArtifact(t, NewApp("one"))
	id, key := a.Deployment.ID, "one/index.cache"
	s.publishArtifact(t, a)
	s.wantCache(t, id, key, "seed of one")
	must(t, s.WriteCache(t.Context(), id, key, "written by the app"))
	must(t, s.Platform.Seed(t.Context(), a, noteTo(t)))
	s.wantCache(t, id, key, "written by the app")

	other := s.newArtifact(t, NewApp("one")) // of the same build, with a cache of its own
	s.publishArtifact(t, other)
	s.wantCache(t, other.Deployment.ID, key, "seed of one")
}

func (s *stand) wantCache(t *testing.T, d anchor.DeploymentID, key, want string) {
	t.Helper()
	got, err := s.ReadCache(t.Context(), d, key)
	must(t, err)
	if got != want {
		t.Errorf("the cache of %s has %q under %s, want %q", d, got, key, want)
	}
}

func probeRefuses(t *testing.T, s *stand) {
	s.deployLive(t, "good")
	for name, module := range map[string]string{
		"a page that fails":            answeringModule(`stream.write(JSON.stringify({ statusCode: 500 })); stream.write(Buffer.alloc(8)); stream.end("no");`),
		"a page that throws":           answeringModule(`throw new Error("no page today");`),
		"a process that ends":          answeringModule(`process.exit(3);`),
		"a page that never comes":      answeringModule(`await new Promise((resolve) => setTimeout(resolve, 600_000));`),
		"a module that throws":         `throw new Error("no module today");`,
		"a module that does not parse": `export const handler = `,
	} {
		t.Run(name, func(t *testing.T) {
			a := s.newArtifact(t, NewApp("bad").Server(module))
			s.publishArtifact(t, a)
			err := s.Platform.Probe(t.Context(), a, noteTo(t))
			if err == nil {
				t.Fatal("the probe found nothing")
			}
			if anchor.CodeOf(err) == "" || anchor.HintOf(err) == "" {
				t.Errorf("%v does not say what to do", err)
			}
			now, cancel := context.WithCancel(t.Context())
			cancel() // wait for nothing: the page may never end
			must(t, s.Platform.Remove(now, a.Deployment))
			s.wantGone(t, s.hostOf(a), "/")
			s.wantPage(t, s.siteHost(), "/", "good")
		})
	}
}

// answeringModule is a server function with statements for a body.
func answeringModule(statements string) string {
	return `export const handler = awslambda.streamifyResponse(async (event, stream) => {
		stream.setContentType("application/vnd.awslambda.http-integration-response");
		` + statements + ` });`
}

// removeDrains has a request in flight on the deployment that goes.
func removeDrains(t *testing.T, s *stand) {
	one, _ := s.deployLive(t, "one")
	res := s.openResponse(t, http.MethodGet, s.siteHost(), "/slow")
	defer res.Body.Close()
	body := bufio.NewReader(res.Body)
	if line, err := body.ReadString('\n'); err != nil || line != "began\n" {
		t.Fatalf("it began with %q, %v", line, err)
	}
	s.deployLive(t, "two")
	must(t, s.Platform.Remove(t.Context(), one.Deployment))
	if rest, err := io.ReadAll(body); err != nil || string(rest) != "one ended\n" {
		t.Errorf("the request in flight ended with %q, %v", rest, err)
	}
	s.wantGone(t, s.hostOf(one), "/")
	must(t, s.Platform.Remove(t.Context(), one.Deployment))
	must(t, s.Platform.Remove(t.Context(), anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: s.project.ID}))
	s.wantPage(t, s.siteHost(), "/", "two")
}

func removeOne(t *testing.T, s *stand) {
	one, _ := s.deployLive(t, "one")
	two, _ := s.deployLive(t, "two")
	must(t, s.Platform.Remove(t.Context(), one.Deployment))
	s.wantPage(t, s.siteHost(), "/", "two")
	s.wantPage(t, s.siteHost(), "/_next/static/chunks/two.js", "chunk of two")
	s.wantCache(t, two.Deployment.ID, "two/index.cache", "seed of two")
	if status, _ := s.askPage(t, s.siteHost(), "/_next/static/chunks/one.js"); status != http.StatusNotFound {
		t.Errorf("a file of the removed deployment answers %d", status)
	}
}

// removeProject removes a retired project beside another one, with the project's records and, as
// after a crash, again without them.
func removeProject(t *testing.T, s *stand) {
	one, _ := s.deployLive(t, "one")
	two, _ := s.deployLive(t, "two")
	gone, hosts := s.project, []string{s.siteHost(), s.hostOf(one), s.hostOf(two)}
	s.project = anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "shop-two"}
	must(t, s.Records.CreateProject(t.Context(), s.project))
	s.deployLive(t, "kept")

	must(t, s.Records.RetireProject(t.Context(), gone.ID))
	s.awaitProjectRemoval(t, gone.ID)
	for _, host := range hosts {
		s.wantGone(t, host, "/")
		s.wantGone(t, host, "/public.txt")
	}
	s.awaitProjectRemoval(t, gone.ID)
	must(t, s.Records.DeleteProject(t.Context(), gone.ID))
	s.awaitProjectRemoval(t, gone.ID)
	s.wantPage(t, s.siteHost(), "/", "kept")
	s.wantPage(t, s.siteHost(), "/public.txt", "public of kept")
}

// awaitProjectRemoval calls RemoveProject until the platform has removed everything.
func (s *stand) awaitProjectRemoval(t *testing.T, p anchor.ProjectID) {
	t.Helper()
	err := s.Platform.RemoveProject(t.Context(), p)
	for anchor.KindOf(err) == anchor.KindBusy {
		err = s.Platform.RemoveProject(t.Context(), p)
	}
	must(t, err)
}

func readyForARollback(t *testing.T, s *stand) {
	one, _ := s.deployLive(t, "one")
	s.deployLive(t, "two")
	record := anchor.Deployment{
		ID: anchor.DeploymentID(anchor.NewID()), ProjectID: s.project.ID, IsRollback: true, RollbackTo: one.Deployment.ID,
	}
	for range 2 {
		_, err := s.prepareSwitch(t, record)
		must(t, err)
	}
}

func testRestart(t *testing.T, s *stand) {
	one, _ := s.deployLive(t, "one")
	two := s.newArtifact(t, NewApp("two"))
	two.Env = map[string]string{}
	done := two.Deployment
	done.Functions = s.publishArtifact(t, two)
	done.Status, done.DeployedAt = anchor.Deployed, time.Now().UnixMilli()
	must(t, s.Records.UpdateDeployment(t.Context(), done, anchor.Deploying))
	must(t, s.WriteCache(t.Context(), one.Deployment.ID, "one/index.cache", "written by the app"))

	s.usePlatform(s.Reopen(t))
	s.wantPage(t, s.siteHost(), "/", "one")
	s.wantPage(t, s.siteHost(), "/_next/static/chunks/two.js", "chunk of two")
	s.wantPage(t, s.hostOf(two), "/", "two")
	s.wantCache(t, one.Deployment.ID, "one/index.cache", "written by the app")
	record, err := s.Records.Deployment(t.Context(), one.Deployment.ID)
	must(t, err)
	_, err = s.prepareSwitch(t, record)
	must(t, err)
	_, err = s.releases.Promote(t.Context(), s.project.ID, two.Deployment.ID)
	must(t, err)
	s.wantPage(t, s.siteHost(), "/", "two")
}
