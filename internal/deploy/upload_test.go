package deploy_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/project"
)

func TestStart_ReturnsMissing(t *testing.T) {
	s := newStand(t)
	req, dir := request(t)
	first, err := s.Start(t.Context(), s.project, req)
	must(t, err)
	if want := len(req.Manifest.Contents()); len(first.Missing) != want {
		t.Errorf("%d files are missing, want %d", len(first.Missing), want)
	}
	_, err = s.Finish(t.Context(), s.project, first.Deployment.ID)
	wantKind(t, err, anchor.KindConflict)
	s.send(t, dir, req.Manifest, first.Missing[:2])
	left, err := s.Missing(t.Context(), s.project, first.Deployment.ID)
	must(t, err)
	if len(left) != len(first.Missing)-2 {
		t.Errorf("%d files are missing after two have come", len(left))
	}
	s.send(t, dir, req.Manifest, left)
	second, err := s.Start(t.Context(), s.project, req)
	must(t, err)
	if len(second.Missing) != 0 {
		t.Errorf("the same files again: %d are missing", len(second.Missing))
	}
}

func TestStart_Refuses(t *testing.T) {
	s := newStand(t)
	good, _ := request(t)
	for _, bad := range []artifact.File{
		{Path: "../out", Digest: artifact.DigestOf(nil)},
		{Path: "assets/out", Link: "../../out"},
		{Path: "assets/out", Link: "/etc/passwd"},
		{Path: "assets/gone", Link: "none"},
		{Path: "assets/loop", Link: ".."},
	} {
		m := artifact.Manifest{Files: append([]artifact.File{bad}, good.Manifest.Files...)}
		_, err := s.Start(t.Context(), s.project, deploy.Request{Manifest: m})
		wantKind(t, err, anchor.KindInvalid)
		if err != nil && !strings.Contains(err.Error(), bad.Path) {
			t.Errorf("%v does not name %s", err, bad.Path)
		}
	}
	_, err := s.Start(t.Context(), anchor.ProjectID(anchor.NewID()), good)
	wantKind(t, err, anchor.KindNotFound)
	all, err := s.List(t.Context(), s.project, anchor.Page{})
	must(t, err)
	if len(all.Items) != 0 {
		t.Errorf("what was refused is recorded: %+v", all.Items)
	}
	if usage, err := s.bundles.Usage(t.Context()); err != nil || usage.Manifests != 0 {
		t.Errorf("what was refused left %d manifests, %v", usage.Manifests, err)
	}
}

// A link to a static file is stored as the file, whichever client made the manifest: only
// functions' bundles keep links.
func TestStart_StoresLinkTargets(t *testing.T) {
	s := newStand(t)
	req, _ := request(t)
	var target artifact.File
	for _, f := range req.Manifest.Files {
		if strings.HasPrefix(f.Path, "assets/") && f.Size > 0 {
			target = f
		}
	}
	req.Manifest.Files = append(req.Manifest.Files, artifact.File{Path: "assets/same", Link: strings.TrimPrefix(target.Path, "assets/")})
	started, err := s.Start(t.Context(), s.project, req)
	must(t, err)
	m, err := s.bundles.Manifest(t.Context(), started.Deployment.ID)
	must(t, err)
	same := target
	same.Path = "assets/same"
	if !slices.Contains(m.Files, same) {
		t.Errorf("%+v is not among %+v", same, m.Files)
	}
}

// A manifest that the platform cannot run is not recorded, whether it is sent whole or as a
// delta.
func TestStart_RefusesByPlatformLimits(t *testing.T) {
	s := newStand(t, func(s *stand) {
		s.platform.Refuse = func(p anchor.Project, m artifact.Manifest, _ map[string]string) error {
			for _, f := range m.Files {
				if f.Path == "bad" {
					return anchor.Invalid("unfit", "%s cannot have %s", p.Slug, f.Path)
				}
			}
			return nil
		}
	})
	req, _ := request(t)
	first, err := s.Start(t.Context(), s.project, req)
	must(t, err)
	bad := artifact.Manifest{Files: append(req.Manifest.Files, artifact.File{Path: "bad", Digest: artifact.DigestOf(nil)})}
	delta := bad.Since(first.Deployment.ID, req.Manifest)
	for name, refused := range map[string]deploy.Request{"whole": {Manifest: bad}, "by what changed": {Delta: &delta}} {
		if _, err := s.Start(t.Context(), s.project, refused); anchor.CodeOf(err) != "unfit" || err.Error() != "shop cannot have bad" {
			t.Errorf("%s: started: %v", name, err)
		}
	}
	_, err = s.Start(t.Context(), anchor.ProjectID(anchor.NewID()), req)
	wantKind(t, err, anchor.KindNotFound)
	all, err := s.List(t.Context(), s.project, anchor.Page{})
	must(t, err)
	if len(all.Items) != 1 {
		t.Errorf("%d deployments are recorded, want 1", len(all.Items))
	}
	if usage, err := s.bundles.Usage(t.Context()); err != nil || usage.Manifests != 1 {
		t.Errorf("%d manifests are kept, want 1, %v", usage.Manifests, err)
	}
}

// What a project's variables forbid is refused before a file is sent, and only while
// they are set.
func TestStart_RefusesByEnvironment(t *testing.T) {
	s := newStand(t, func(s *stand) {
		s.platform.Refuse = func(_ anchor.Project, _ artifact.Manifest, env map[string]string) error {
			if env["SIZE"] == "large" {
				return anchor.TooLarge("env_too_large", "SIZE is %s", env["SIZE"]).Hintf("Reduce its size.")
			}
			return nil
		}
	})
	env := project.NewEnv(project.EnvPorts{Variables: s.store, Box: s.box}, project.EnvOptions{})
	req, _ := request(t)
	must(t, env.Set(t.Context(), s.project, []anchor.EnvVar{{Name: "SIZE", Value: "large", For: anchor.EnvBoth}}))
	_, err := s.Start(t.Context(), s.project, req)
	wantKind(t, err, anchor.KindTooLarge)
	all, err := s.List(t.Context(), s.project, anchor.Page{})
	must(t, err)
	if len(all.Items) != 0 {
		t.Errorf("what was refused is recorded: %+v", all.Items)
	}
	must(t, env.Set(t.Context(), s.project, []anchor.EnvVar{{Name: "SIZE", Value: "large", For: anchor.EnvBuild}}))
	_, err = s.Start(t.Context(), s.project, req)
	must(t, err)
}

// TestStart_FullDisk: a deployment whose manifest cannot be stored ends.
func TestStart_FullDisk(t *testing.T) {
	s := newStand(t)
	s.Bundles = fullDisk{s.bundles}
	req, _ := request(t)
	if _, err := s.Start(t.Context(), s.project, req); !errors.Is(err, errLost) {
		t.Fatalf("started: %v", err)
	}
	all, err := s.List(t.Context(), s.project, anchor.Page{})
	must(t, err)
	if len(all.Items) != 1 || all.Items[0].Status != anchor.BuildFailed || all.Items[0].ErrorMessage == "" {
		t.Errorf("the record is %+v", all.Items)
	}
}

func TestFinish_Again(t *testing.T) {
	s := newStand(t)
	id := s.start(t, s.project)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := s.Finish(t.Context(), s.project, id); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	s.wantStatus(t, id, anchor.Deployed)
	d, err := s.Finish(t.Context(), s.project, id)
	must(t, err)
	if d.Status != anchor.Deployed {
		t.Errorf("finished again, it is %s", d.Status)
	}
	if releases, err := s.releases.List(t.Context(), s.project, anchor.Page{}); err != nil || len(releases.Items) != 1 {
		t.Errorf("it was released %d times, %v", len(releases.Items), err)
	}
}

func TestFinish_AfterFailure(t *testing.T) {
	s := newStand(t)
	dir := smallApp.With("open-next.output.json", "{").Write(t)
	id := s.deployTree(t, dir)
	s.wantStatus(t, id, anchor.DeployFailed)
	_, err := s.Finish(t.Context(), s.project, id)
	wantKind(t, err, anchor.KindConflict)
	_, err = s.Missing(t.Context(), s.project, id)
	wantKind(t, err, anchor.KindConflict)
}

func TestPutFile_WrongDigest(t *testing.T) {
	s := newStand(t)
	err := s.PutFile(t.Context(), s.project, artifact.DigestOf([]byte("a")), 1, strings.NewReader("b"))
	wantKind(t, err, anchor.KindInvalid)
}

func TestStart_ByDelta(t *testing.T) {
	s := newStand(t)
	req, _ := request(t)
	first, err := s.Start(t.Context(), s.project, req)
	must(t, err)
	after := artifact.Manifest{Files: append([]artifact.File{{Path: "0", Size: 1, Digest: artifact.DigestOf([]byte("0"))}}, req.Manifest.Files...)}
	delta := after.Since(first.Deployment.ID, req.Manifest)
	second, err := s.Start(t.Context(), s.project, deploy.Request{Delta: &delta})
	must(t, err)
	if len(second.Missing) != len(first.Missing)+1 {
		t.Errorf("%d files are missing, want %d", len(second.Missing), len(first.Missing)+1)
	}
	if m, err := s.bundles.Manifest(t.Context(), second.Deployment.ID); err != nil || m.Digest() != after.Digest() {
		t.Errorf("the manifest kept is %s, %v", m.Digest(), err)
	}
	must(t, s.bundles.Remove(t.Context(), first.Deployment.ID))
	for name, d := range map[string]artifact.Delta{"pruned": delta, "unknown": after.Since("01hzzzzzzzzzzzzzzzzzzzzzzz", req.Manifest), "none": after.Since("", req.Manifest)} {
		_, err := s.Start(t.Context(), s.project, deploy.Request{Delta: &d})
		if anchor.CodeOf(err) != "no_base" || anchor.KindOf(err) != anchor.KindConflict {
			t.Errorf("%s: started by it: %v", name, err)
		}
	}
	other := s.newProject(t, "other")
	fromSecond := after.Since(second.Deployment.ID, after)
	if _, err := s.Start(t.Context(), other, deploy.Request{Delta: &fromSecond}); anchor.CodeOf(err) != "no_base" {
		t.Errorf("another project's files are reported: %v", err)
	}
	all, err := s.List(t.Context(), s.project, anchor.Page{})
	must(t, err)
	if len(all.Items) != 2 {
		t.Errorf("%d deployments are recorded, want 2", len(all.Items))
	}
}

func TestFiles(t *testing.T) {
	s := newStand(t)
	req, dir := request(t)
	started, err := s.Start(t.Context(), s.project, req)
	must(t, err)
	id := started.Deployment.ID
	files, err := s.Files(t.Context(), s.project, id, started.Missing[:2])
	must(t, err)
	if len(files) != 2 || files[0].Digest != started.Missing[0] || files[0].Size != req.Manifest.Contents()[started.Missing[0]] {
		t.Errorf("the files are %+v", files)
	}
	_, err = s.Files(t.Context(), s.project, id, []artifact.Digest{artifact.DigestOf([]byte("another"))})
	wantKind(t, err, anchor.KindInvalid)
	_, err = s.Files(t.Context(), s.newProject(t, "other"), id, started.Missing[:1])
	wantKind(t, err, anchor.KindNotFound)
	s.send(t, dir, req.Manifest, started.Missing)
	_, err = s.Finish(t.Context(), s.project, id)
	must(t, err)
	s.wantStatus(t, id, anchor.Deployed)
	_, err = s.Files(t.Context(), s.project, id, started.Missing[:1])
	wantKind(t, err, anchor.KindConflict)
}

// A project's uploads that never end do not pile up; other projects are not touched.
func TestStart_LimitsDeploymentsUnderWay(t *testing.T) {
	s := newStand(t, func(s *stand) { s.quota.Queued = 3 })
	req, _ := request(t)
	var starting sync.WaitGroup
	var mu sync.Mutex
	var started []anchor.DeploymentID
	for range 8 {
		starting.Go(func() {
			one, err := s.Start(t.Context(), s.project, req)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				started = append(started, one.Deployment.ID)
			} else if hint := anchor.HintOf(err); anchor.CodeOf(err) != "too_many_deployments" || !strings.Contains(err.Error(), ": 3; the limit is 3") || !strings.Contains(hint, "--max-queued") {
				t.Errorf("refused with %v (%s)", err, hint)
			}
		})
	}
	starting.Wait()
	if len(started) != 3 {
		t.Fatalf("%d deployments were started", len(started))
	}
	_, err := s.Start(t.Context(), s.newProject(t, "other"), req)
	must(t, err)
	_, err = s.Cancel(t.Context(), s.project, started[0])
	must(t, err)
	_, err = s.Start(t.Context(), s.project, req)
	must(t, err)
}
