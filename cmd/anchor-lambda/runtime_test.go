package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/dynamo"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// runtime is Lambda's runtime API (Lambda, "Using the Lambda runtime API") for one process.
type runtime struct {
	*httptest.Server
	ready  chan time.Time // when the process first requested an event
	events chan string
	answer chan []byte
	failed chan string
}

func newRuntime(t *testing.T) *runtime {
	r := &runtime{ready: make(chan time.Time, 1), events: make(chan string), answer: make(chan []byte, 1), failed: make(chan string, 1)}
	const base = "/2018-06-01/runtime/"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+base+"invocation/next", func(w http.ResponseWriter, req *http.Request) {
		select {
		case r.ready <- time.Now():
		default:
		}
		select {
		case event := <-r.events:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "request")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(time.Minute).UnixMilli()))
			_, _ = io.WriteString(w, event)
		case <-req.Context().Done():
		}
	})
	mux.HandleFunc("POST "+base+"invocation/request/response", func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		w.WriteHeader(http.StatusAccepted)
		r.answer <- body
	})
	mux.HandleFunc("POST "+base+"invocation/request/error", func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		w.WriteHeader(http.StatusAccepted)
		r.failed <- string(body)
	})
	r.Server = httptest.NewServer(mux)
	t.Cleanup(func() { r.CloseClientConnections(); r.Close() })
	return r
}

// start runs the handler until the test ends.
func (r *runtime) start(t *testing.T, binary string, env []string) {
	t.Helper()
	cmd := exec.Command(binary)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.Env = slices.Concat(env, []string{"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(r.URL, "http://"), "TMPDIR=" + t.TempDir()})
	began := time.Now()
	must(t, cmd.Start())
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	select {
	case at := <-r.ready:
		t.Logf("init: %d ms from the start of the process to its first event", at.Sub(began).Milliseconds())
	case <-ended:
		t.Fatalf("the handler ended at its start:\n%s", output.Bytes())
	}
}

func (r *runtime) send(t *testing.T, event string) []byte {
	t.Helper()
	r.events <- event
	select {
	case answer := <-r.answer:
		return answer
	case failure := <-r.failed:
		t.Fatalf("the event %s failed: %s", event, failure)
	}
	return nil
}

// installation creates what bootstrap creates before the handlers run.
func installation(t *testing.T, cloud *awstest.Cloud) (env []string, token string) {
	t.Helper()
	client := dynamodb.NewFromConfig(cloud.Config())
	for _, table := range dynamo.Schema() {
		table.TableName = sdk.String("anchor-" + *table.TableName)
		_, err := client.CreateTable(t.Context(), &table)
		must(t, awstest.Made(err))
	}
	files := s3.NewFromConfig(cloud.Config())
	for _, bucket := range []string{"anchor-assets", "anchor-artifacts"} {
		_, err := files.CreateBucket(t.Context(), &s3.CreateBucketInput{
			Bucket: sdk.String(bucket), CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: awstest.Region},
		})
		must(t, err)
	}
	_, err := ssm.NewFromConfig(cloud.Config()).PutParameter(t.Context(), &ssm.PutParameterInput{
		Name: sdk.String("/anchor/key"), Type: types.ParameterTypeSecureString, Value: sdk.String(base64.StdEncoding.EncodeToString(make([]byte, 32))),
	})
	must(t, err)
	store := dynamo.New(client, dynamo.Tables{Projects: "anchor-projects", Deployments: "anchor-deployments", Domains: "anchor-domains"})
	token, _, err = access.New(access.Ports{Tokens: store}, access.Options{}).Create(t.Context(), "test", anchor.ScopeAdmin)
	must(t, err)
	return append(cloud.Env(), "ANCHOR_VERSION=v-test", "ANCHOR_INSTALLATION=anchor", "ANCHOR_KEY_PARAMETER=/anchor/key",
		"ANCHOR_SITE_BOUNDARY=arn:aws:iam::123456789012:policy/anchor-sites", "ANCHOR_DEPLOY_FUNCTION=anchor-deploy", "ANCHOR_BUILD_PROJECT=anchor-build",
		"PROJECTS_TABLE=anchor-projects", "DEPLOYMENTS_TABLE=anchor-deployments", "DOMAINS_TABLE=anchor-domains",
		"STATIC_ASSETS_BUCKET=anchor-assets", "ARTIFACTS_BUCKET=anchor-artifacts"), token
}

// TestHandlers_Run starts the binary as Lambda does, over MiniStack.
func TestHandlers_Run(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.Command("go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags", "-s -w", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	if info, err := os.Stat(binary); err == nil {
		t.Logf("size: %.1f MB", float64(info.Size())/1e6)
	}
	env, token := installation(t, awstest.MiniStack(t))

	t.Run("api", func(t *testing.T) {
		lambda := newRuntime(t)
		lambda.start(t, binary, slices.Concat(env, []string{"_HANDLER=api"}))
		e := events.APIGatewayV2HTTPRequest{Version: "2.0", RawPath: "/projects", Headers: map[string]string{
			"authorization": "Bearer " + token, "content-type": "application/json",
		}, Body: `{"slug":"shop"}`}
		e.RequestContext.HTTP.Method = http.MethodPost
		event, err := json.Marshal(e)
		must(t, err)
		var answer events.APIGatewayV2HTTPResponse
		must(t, json.Unmarshal(lambda.send(t, string(event)), &answer))
		var p anchor.Project
		if err := json.Unmarshal([]byte(answer.Body), &p); answer.StatusCode != http.StatusCreated || err != nil || p.Slug != "shop" {
			t.Errorf("a project is made with %d: %s", answer.StatusCode, answer.Body)
		}
	})
	t.Run("deploy", func(t *testing.T) {
		lambda := newRuntime(t)
		lambda.start(t, binary, slices.Concat(env, []string{"ANCHOR_HANDLER=deploy", "_HANDLER=bootstrap"}))
		if got := lambda.send(t, `{"reconcile": true}`); string(got) != "null" {
			t.Errorf("a round of the schedule answers %s", got)
		}
	})
}

func TestSettings_MissingOnesAreNamed(t *testing.T) {
	_, err := read(func(name string) string {
		if name == "PROJECTS_TABLE" {
			return ""
		}
		return "x"
	})
	if anchor.CodeOf(err) != "no_settings" || !strings.Contains(err.Error(), "PROJECTS_TABLE") || strings.Contains(err.Error(), "DOMAINS_TABLE") {
		t.Errorf("without PROJECTS_TABLE: %v", err)
	}
}
