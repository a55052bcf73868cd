package install_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/install"
)

// buildspecOf returns the buildspec as the template passes it to CodeBuild.
func buildspecOf(t *testing.T) string {
	t.Helper()
	var template struct {
		Resources map[string]struct {
			Properties struct {
				Source struct {
					BuildSpec string `yaml:"BuildSpec"`
				} `yaml:"Source"`
			} `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal([]byte(install.Template()), &template); err != nil {
		t.Fatal(err)
	}
	return template.Resources["BuildProject"].Properties.Source.BuildSpec
}

// phase returns the commands of one phase.
func phase(t *testing.T, name string) string {
	t.Helper()
	var spec struct {
		Phases map[string]struct{ Commands []string }
	}
	if err := yaml.Unmarshal([]byte(buildspecOf(t)), &spec); err != nil {
		t.Fatal(err)
	}
	return strings.Join(spec.Phases[name].Commands, "\n")
}

// The phases run as CodeBuild would run them, with the real AWS CLI and the zip of the handlers in the bucket.
// The program in it only prints what it is called with; package runner and TestStandBuild have the real one.
func TestBuildspec_BuildsAndReports(t *testing.T) {
	cloud := awstest.Shared(t)
	c := config(t, cloud)
	c.Handlers = handlers(t, "#!/bin/sh\necho program \"$@\"\n[ -f package.json ] && echo built >open-next.tar.gz\n")
	_, b := bootstrapped(t, c)
	source, program := t.TempDir(), filepath.Join(t.TempDir(), "anchor")
	run := func(name, succeeding string) (string, error) {
		t.Helper()
		cmd := exec.Command("bash", "-c", "set -e\n"+phase(t, name))
		cmd.Dir = source
		cmd.Env = append(append(os.Environ(), cloud.Env()...), "PATH="+filepath.Dir(awstest.Tool(t, "aws"))+":"+os.Getenv("PATH"),
			"CODEBUILD_BUILD_SUCCEEDING="+succeeding, "ARTIFACTS_BUCKET="+b.ArtifactsBucket, "HANDLER_KEY="+handlerKey(t, cloud), "DEPLOY_HANDLER_NAME=anchor-deploy",
			"ANCHOR_PROGRAM="+program, "ANCHOR_DEPLOYMENT_ID=d1", "ANCHOR_PROJECT_ID=p1", "ANCHOR_BUILD_PROOF=proof", "CODEBUILD_RESOLVED_SOURCE_VERSION=c0ffee")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	archives := func() string { return cloud.CLI(t, "s3", "ls", "--recursive", "s3://"+b.ArtifactsBucket) }
	if out, err := run("install", "1"); err != nil {
		t.Fatalf("install: %v\n%s", err, out)
	}
	if out, err := run("build", "1"); err == nil {
		t.Errorf("a build that fails passes: %s", out)
	}
	if out, err := run("post_build", "0"); err != nil || !strings.Contains(out, "nothing is deployed") || strings.Contains(archives(), "artifacts/") {
		t.Errorf("after a failed build it says %s (%v) and the bucket has %s", out, err, archives())
	}
	if err := os.WriteFile(filepath.Join(source, "package.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := run("build", "1"); err != nil || out != "program build\n" {
		t.Errorf("build runs %s, %v", out, err)
	}
	if out, err := run("post_build", "1"); err != nil || !strings.Contains(out, `"StatusCode": 202`) || strings.Contains(out, "proof") {
		t.Errorf("after a good build it says %s, %v", out, err)
	}
	if !strings.Contains(archives(), "artifacts/p1/c0ffee/d1/proof/open-next.tar.gz") {
		t.Errorf("the bucket has %s", archives())
	}
}

// handlerKey returns the variable that the build project gives to the build.
func handlerKey(t *testing.T, cloud *awstest.Cloud) string {
	t.Helper()
	return strings.TrimSpace(cloud.CLI(t, "codebuild", "batch-get-projects", "--names", "anchor-build", "--output", "text",
		"--query", "projects[0].environment.environmentVariables[?name=='HANDLER_KEY'].value"))
}

// The build's Node.js is one that functions run on, and the caches that CodeBuild keeps are those that the program fills.
func TestBuildspec_FitsTheFunctionsAndTheProgram(t *testing.T) {
	var spec struct {
		Env    struct{ Variables map[string]string }
		Phases struct {
			Install struct {
				Runtimes map[string]string `yaml:"runtime-versions"`
			}
		}
		Cache struct{ Paths []string }
	}
	if err := yaml.Unmarshal([]byte(buildspecOf(t)), &spec); err != nil {
		t.Fatal(err)
	}
	if runtime := "nodejs" + spec.Phases.Install.Runtimes["nodejs"] + ".x"; runtime != anchor.RuntimeNode22 && runtime != anchor.RuntimeNode24 {
		t.Errorf("a build has %s, which no function runs on", runtime)
	}
	if cache := spec.Env.Variables["ANCHOR_CACHE"]; cache == "" || !slices.Equal(spec.Cache.Paths, []string{cache + "/**/*"}) {
		t.Errorf("the program fills %q, CodeBuild keeps %v", cache, spec.Cache.Paths)
	}
}
