package runner_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/codebuild/runner"
)

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o755); err != nil { // programs are among them
			t.Fatal(err)
		}
	}
}

// stand is a checkout with an app, and programs that stand in for npm and npx. TestStandBuild runs the
// real ones.
type stand struct {
	runner.Runner
	out bytes.Buffer
}

func newStand(t *testing.T, vars map[string]string, files map[string]string) *stand {
	t.Helper()
	bin := t.TempDir()
	write(t, bin, map[string]string{
		"node": "#!/bin/sh\necho v22.1.0\n",
		"npm":  "#!/bin/sh\n[ \"$1\" = view ] && exit 1\necho npm \"$@\"\nmkdir -p \"$npm_config_cache\" && echo >\"$npm_config_cache/package\"\n",
		"npx": "#!/bin/sh\necho npx \"$@\"\nenv >environment\nmkdir -p .open-next .next/cache\n" +
			"echo '{}' >.open-next/open-next.output.json\n[ -f .next/cache/last ] && echo warm\necho >.next/cache/last\n",
	})
	s := &stand{}
	encoded, err := json.Marshal(vars)
	if err != nil {
		t.Fatal(err)
	}
	s.Dir, s.Cache, s.Out = t.TempDir(), filepath.Join(t.TempDir(), "cache"), &s.out
	s.Environ = []string{
		"PATH=" + bin + ":/usr/bin:/bin", "ANCHOR_DEPLOYMENT_ID=d1", "ANCHOR_PROJECT_ID=01hzzzzzzzzzzzzzzzzzzzzzzz", "ANCHOR_PROJECT_SLUG=shop",
		"ANCHOR_BUILD_PROOF=proof", "ANCHOR_BUILD_ENV=" + base64.StdEncoding.EncodeToString(encoded), "CODEBUILD_RESOLVED_SOURCE_VERSION=c0ffee",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/credentials", "AWS_REGION=eu-central-1",
	}
	write(t, s.Dir, files)
	return s
}

func (s *stand) run(t *testing.T) (string, error) {
	t.Helper()
	s.out.Reset()
	err := s.Run(t.Context())
	return s.out.String(), err
}

const app = `{"dependencies":{"next":"15.1.0"}}`

func TestRun_AddsVercelNames(t *testing.T) {
	vars := map[string]string{"ANCHOR_ENV": "preview", "ANCHOR_GIT_BRANCH": "feature/x", "ANCHOR_URL": "https://d1.example.com", "VERCEL": "1", "VERCEL_GIT_COMMIT_REF": "my own"}
	s := newStand(t, vars, map[string]string{"package.json": app})
	if out, err := s.run(t); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	environment, err := os.ReadFile(filepath.Join(s.Dir, "environment"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"VERCEL_ENV=preview", "VERCEL_URL=d1.example.com", "VERCEL_GIT_COMMIT_SHA=c0ffee", "VERCEL_GIT_COMMIT_REF=my own", "VERCEL_DEPLOYMENT_ID=d1",
	} {
		if !strings.Contains("\n"+string(environment), "\n"+want+"\n") {
			t.Errorf("the build does not get %s:\n%s", want, environment)
		}
	}
	vars["VERCEL"] = "0"
	s = newStand(t, vars, map[string]string{"package.json": app})
	if out, err := s.run(t); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	if environment, err = os.ReadFile(filepath.Join(s.Dir, "environment")); err != nil || strings.Contains(string(environment), "VERCEL_URL") {
		t.Errorf("without VERCEL=1 the build gets %s, %v", environment, err)
	}
}

func TestRun_BuildsTheAppOfTheProject(t *testing.T) {
	s := newStand(t, map[string]string{"NEXT_PUBLIC_A": "it's {{a}}\ntwo", "ANCHOR_ENV": "production"}, map[string]string{
		"apps/one/package.json": app, "apps/two/package.json": app, "apps/two/anchor.json": `{"project":"shop"}`,
		"apps/two/vercel.json": `{"crons": [{"path": "/api/digest", "schedule": "0 5 * * *"}]}`,
	})
	out, err := s.run(t)
	if err != nil || !strings.Contains(out, "npx --yes @opennextjs/aws@4.1.12 build") || strings.Contains(out, "warm") {
		t.Fatalf("it runs %s, %v", out, err)
	}
	for line := range strings.Lines(out) {
		if strings.Contains(line, "$ npm") && !strings.HasPrefix(line, "[anchor] ") {
			t.Errorf("a line of Anchor's own is %q", line)
		}
	}
	archive, err := exec.Command("tar", "-tzf", filepath.Join(s.Dir, runner.ArchiveName)).CombinedOutput()
	if err != nil || !strings.Contains(string(archive), ".open-next/open-next.output.json") {
		t.Errorf("the archive holds %s, %v", archive, err)
	}
	crons, err := exec.Command("tar", "-xzOf", filepath.Join(s.Dir, runner.ArchiveName), ".open-next/anchor-crons.json").CombinedOutput()
	if err != nil || !strings.Contains(string(crons), "/api/digest") {
		t.Errorf("the crons of the archive are %s, %v", crons, err)
	}
	environment, err := os.ReadFile(filepath.Join(s.Dir, "apps/two/environment"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\nNEXT_PUBLIC_A=it's {{a}}\ntwo\n", "\nANCHOR_ENV=production\n", "\nANCHOR_GIT_COMMIT_SHA=c0ffee\n", "\nANCHOR_DEPLOYMENT_ID=d1\n",
		"\nNEXT_DEPLOYMENT_ID=d1\n", "\nAWS_REGION=eu-central-1\n",
	} {
		if !strings.Contains("\n"+string(environment), want) {
			t.Errorf("the build does not get %q:\n%s", want, environment)
		}
	}
	for _, secret := range []string{"proof", "/v2/credentials", "ANCHOR_BUILD_ENV"} {
		if strings.Contains(string(environment), secret) || strings.Contains(out, secret) {
			t.Errorf("the build's commands get %s:\n%s", secret, environment)
		}
	}
	if err := os.RemoveAll(filepath.Join(s.Dir, "apps/two/.next")); err != nil { // another checkout
		t.Fatal(err)
	}
	if out, err := s.run(t); err != nil || !strings.Contains(out, "warm") {
		t.Errorf("the second build does not find the cache of the first: %s, %v", out, err)
	}
	s.Limit = 1
	if out, err := s.run(t); err != nil || !strings.Contains(out, "are emptied") {
		t.Errorf("caches beyond the limit: %s, %v", out, err)
	}
	if left, err := os.ReadDir(s.Cache); err != nil || len(left) != 0 {
		t.Errorf("they hold %v, %v", left, err)
	}
}

func TestRun_NodeOfTheApp(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  string // package of npm, "" when the machine's Node.js is in use
	}{
		"none":                     {files: map[string]string{}},
		".nvmrc":                   {files: map[string]string{".nvmrc": "v20.11.0\n"}, want: "node@20.11.0"},
		".nvmrc of the machine's":  {files: map[string]string{".nvmrc": "22"}},
		".nvmrc of a name":         {files: map[string]string{".nvmrc": "lts/iron"}, want: "node@20"},
		".nvmrc of any":            {files: map[string]string{".nvmrc": "lts/*"}},
		".node-version":            {files: map[string]string{".node-version": "24.1"}, want: "node@24.1"},
		"engines":                  {files: map[string]string{"package.json": `{"engines":{"node":">=24 <25"},"dependencies":{"next":"15.1.0"}}`}, want: "node@>=24 <25"},
		"engines of the machine's": {files: map[string]string{"package.json": `{"engines":{"node":">=18"},"dependencies":{"next":"15.1.0"}}`}},
		"engines of no range":      {files: map[string]string{"package.json": `{"engines":{"node":"; rm -rf /"},"dependencies":{"next":"15.1.0"}}`}},
		"anchor.json first":        {files: map[string]string{"anchor.json": `{"nodeVersion":"21"}`, ".nvmrc": "20"}, want: "node@21"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, nil, map[string]string{"package.json": app})
			write(t, s.Dir, test.files)
			out, err := s.run(t)
			_, installed, found := strings.Cut(out, "--no-package-lock ")
			installed, _, _ = strings.Cut(installed, "\n")
			if err != nil || found != (test.want != "") || installed != test.want {
				t.Errorf("it installs %q, want %q: %v\n%s", installed, test.want, err, out)
			}
		})
	}
}

func TestRun_SaysWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		vars, files map[string]string
		code, says  string
	}{
		"no app":           {code: "no_package_json", says: "ANCHOR_ROOT_DIRECTORY=apps/web"},
		"several apps":     {files: map[string]string{"a/package.json": app, "b/package.json": app}, code: "choose_app", says: "anchor link shop --root-directory a"},
		"a folder outside": {vars: map[string]string{"ANCHOR_ROOT_DIRECTORY": "../x"}, code: "bad_root_directory", says: "not a folder of the repository"},
		"two lockfiles":    {files: map[string]string{"package.json": app, "yarn.lock": "", "package-lock.json": "{}"}, code: "two_lockfiles", says: "packageManager"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, test.vars, test.files)
			out, err := s.run(t)
			if anchor.CodeOf(err) != test.code || !strings.Contains(out, "[anchor] error: ") || !strings.Contains(out, test.says) {
				t.Errorf("it says %s, %v", out, err)
			}
			if _, err := os.Stat(filepath.Join(s.Dir, runner.ArchiveName)); err == nil {
				t.Error("it leaves an archive")
			}
		})
	}
	s := newStand(t, nil, map[string]string{"package.json": app})
	s.Environ = append(s.Environ, "ANCHOR_BUILD_ENV=%")
	if out, err := s.run(t); anchor.CodeOf(err) != "bad_build_env" || !strings.Contains(out, "anchor builds start") {
		t.Errorf("broken variables: %s, %v", out, err)
	}
}
