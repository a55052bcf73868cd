package main

import (
	"archive/zip"
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/dynamo"
	"github.com/anchor-deploy/anchor/internal/aws/install/open"
	"github.com/anchor-deploy/anchor/internal/cli"
	"github.com/anchor-deploy/anchor/internal/local/server"
)

// mainOnAWS runs the command with its aws commands in the same process, and with handlers' code
// that nothing runs.
func mainOnAWS() {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	if _, err := z.Create("bootstrap"); err != nil {
		panic(err)
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	aws := open.Opener{Handlers: fstest.MapFS{"arm64.zip": {Data: b.Bytes()}}, Poll: 10 * time.Millisecond}
	os.Exit(cli.Main(cli.Parts{Server: server.Run, Installation: aws.Open}))
}

// TestAWSScripts runs the aws commands against an emulated account.
func TestAWSScripts(t *testing.T) {
	cloud := awstest.MiniStack(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/aws",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			for _, entry := range cloud.Env() {
				name, value, _ := strings.Cut(entry, "=")
				env.Setenv(name, value)
			}
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_CONFIG_HOME", env.WorkDir+"/config")
			env.Setenv("ACCOUNT", cloud.Account)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": code, "json": jsonDocument, "lines80": narrow,
			"project": func(ts *testscript.TestScript, _ bool, args []string) { createProject(ts, cloud, args[0]) }},
	})
}

// project SLUG writes a project into the installation's records.
func createProject(ts *testscript.TestScript, cloud *awstest.Cloud, slug string) {
	store := dynamo.New(dynamodb.NewFromConfig(cloud.Config()), dynamo.TablesOf("anchor"))
	ts.Check(store.CreateProject(context.Background(), anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: slug}))
}
