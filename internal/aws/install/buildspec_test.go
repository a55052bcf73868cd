package install_test

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/install"
)

// phase returns the commands of one phase as the template passes them to CodeBuild.
func phase(t *testing.T, name string) string {
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
	var spec struct {
		Phases map[string]struct{ Commands []string }
	}
	if err := yaml.Unmarshal([]byte(template.Resources["BuildProject"].Properties.Source.BuildSpec), &spec); err != nil {
		t.Fatal(err)
	}
	return strings.Join(spec.Phases[name].Commands, "\n")
}

// The phase runs as CodeBuild would run it, with the real AWS CLI.
func TestBuildspec_PostBuildUploadsAndInvokes(t *testing.T) {
	cloud := awstest.Shared(t)
	_, b := bootstrapped(t, config(t, cloud))
	app := t.TempDir()
	if err := os.MkdirAll(filepath.Join(app, ".open-next"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(app, ".open-next", "open-next.output.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(succeeding string) string {
		t.Helper()
		cmd := exec.Command("bash", "-c", phase(t, "post_build"))
		cmd.Dir = app
		cmd.Env = append(append(os.Environ(), cloud.Env()...), "PATH="+filepath.Dir(awstest.Tool(t, "aws"))+":"+os.Getenv("PATH"),
			"CODEBUILD_BUILD_SUCCEEDING="+succeeding, "APP_DIR=.", "ARTIFACTS_BUCKET="+b.ArtifactsBucket, "DEPLOY_HANDLER_NAME=anchor-deploy",
			"ANCHOR_DEPLOYMENT_ID=d1", "ANCHOR_PROJECT_ID=p1", "ANCHOR_BUILD_PROOF=proof", "CODEBUILD_RESOLVED_SOURCE_VERSION=c0ffee")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("post_build: %v\n%s", err, out)
		}
		return string(out)
	}
	archives := func() string { return cloud.CLI(t, "s3", "ls", "--recursive", "s3://"+b.ArtifactsBucket) }

	if out := run("0"); !strings.Contains(out, "nothing is deployed") || strings.Contains(archives(), "artifacts/") {
		t.Errorf("after a failed build it says %s and the bucket has %s", out, archives())
	}
	if out := run("1"); !strings.Contains(out, `"StatusCode": 202`) {
		t.Errorf("after a good build it says %s", out)
	}
	if !strings.Contains(archives(), "artifacts/p1/c0ffee/d1/proof/open-next.tar.gz") {
		t.Errorf("the bucket has %s", archives())
	}
}

// An app with neither OpenNext nor a configuration for it is built as anchor deploy builds it.
// npx and npm only print their arguments.
func TestBuildspec_PlainApp(t *testing.T) {
	app, bin := t.TempDir(), t.TempDir()
	for name, script := range map[string]string{"npx": "#!/bin/sh\necho npx \"$@\"\n", "npm": "#!/bin/sh\nexit 1\n"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	run := func() string {
		t.Helper()
		cmd := exec.Command("bash", "-c", phase(t, "build"))
		cmd.Dir, cmd.Env = app, append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "APP_DIR=.")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("build: %v\n%s", err, out)
		}
		return string(out)
	}
	if out := run(); out != "npx --yes @opennextjs/aws@4.1.12 build --config-path .anchor/open-next.config.mjs\n" {
		t.Errorf("it runs %s", out)
	}
	config, err := os.ReadFile(filepath.Join(app, ".anchor", "open-next.config.mjs"))
	if err != nil || !strings.Contains(string(config), "aws-lambda-streaming") {
		t.Errorf("the configuration is %s, %v", config, err)
	}
	if err := os.WriteFile(filepath.Join(app, "open-next.config.ts"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := run(); out != "npx --yes @opennextjs/aws@4.1.12 build\n" {
		t.Errorf("with a configuration it runs %s", out)
	}
}

// The phase runs with an npx that writes down the id it gets in place of a build.
func TestBuildspec_BuildPassesTheDeploymentsID(t *testing.T) {
	tools := t.TempDir()
	for name, script := range map[string]string{"npx": `printf %s "${NEXT_DEPLOYMENT_ID-none}" >id`, "npm": "exit 1"} {
		if err := os.WriteFile(filepath.Join(tools, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	script := func(text string) string { return "ANCHOR_BUILD_ENV=" + base64.StdEncoding.EncodeToString([]byte(text)) }
	for name, c := range map[string]struct{ config, env, want string }{
		"the deployment's":           {want: "d1"},
		"one of a variable":          {env: script("export NEXT_DEPLOYMENT_ID='mine'\n"), want: "mine"},
		"one that next.config has":   {config: "export default {\n  deploymentId: process.env.SHA,\n}\n", want: "none"},
		"none that a comment has":    {config: "// no deploymentId here\nexport default {}\n", want: "d1"},
		"none with a different name": {config: "export default { myDeploymentId: 1 }\n", want: "d1"},
	} {
		t.Run(name, func(t *testing.T) {
			app := t.TempDir()
			if c.config != "" {
				if err := os.WriteFile(filepath.Join(app, "next.config.mjs"), []byte(c.config), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), "bash", "-c", phase(t, "build"))
			cmd.Dir = app
			cmd.Env = []string{"PATH=" + tools + ":" + os.Getenv("PATH"), "APP_DIR=.", "ANCHOR_DEPLOYMENT_ID=d1", c.env}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("build: %v\n%s", err, out)
			}
			if got, err := os.ReadFile(filepath.Join(app, "id")); err != nil || string(got) != c.want {
				t.Errorf("OpenNext gets the id %q, %v; want %q", got, err, c.want)
			}
		})
	}
}
