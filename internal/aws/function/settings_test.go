package function_test

import (
	"encoding/json"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
	"github.com/anchor-deploy/anchor/internal/aws/function"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// configured is what the AWS CLI shows of a function.
type configured struct {
	Runtime             string
	MemorySize, Timeout int
	Architectures       []string
	KMSKeyArn           string
	TracingConfig       struct{ Mode string }
	VpcConfig           struct{ SubnetIds, SecurityGroupIds []string }
	Layers              []struct{ Arn string }
}

func (s *stand) configured(t *testing.T, name string) (c configured) {
	t.Helper()
	if err := json.Unmarshal([]byte(s.cloud.CLI(t, "lambda", "get-function-configuration", "--function-name", name)), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestPublish_HasSettings: a function has its own settings over the project's, and the defaults again once
// they are removed.
func TestPublish_HasSettings(t *testing.T) {
	s, p := newStand(t), newProject()
	const layer = "arn:aws:lambda:eu-central-1:123456789012:layer:otel-arm64:3"
	const key = "arn:aws:kms:eu-central-1:123456789012:key/01234567-0123-0123-0123-0123456789ab"
	set, err := anchor.ParseSettings([]byte(`{"memory": 2048, "timeout": 60, "runtime": "nodejs22.x", "kmsKey": "` + key + `", "tracing": "otel", "layers": ["` + layer + `"],
		"functions": {"imageOptimizer": {"memory": 512, "tracing": "active",
			"vpc": {"subnets": ["subnet-01234567", "subnet-89abcdef"], "securityGroups": ["sg-01234567"]}}}}`))
	must(t, err)
	app := platformtest.NewApp("one").Images("one")
	publish := func(settings anchor.Settings) {
		t.Helper()
		a := artifactOf(t, p, app)
		w := wanted(env(a))
		w.Settings = settings
		_, err := s.Publish(t.Context(), a, w, t.Logf)
		must(t, err)
	}
	publish(set)
	server, image := s.configured(t, "anchor-"+p.Slug+"-server"), s.configured(t, "anchor-"+p.Slug+"-image")
	if server.MemorySize != 2048 || server.Timeout != 60 || server.Runtime != "nodejs22.x" || server.KMSKeyArn != key || server.TracingConfig.Mode != "Active" ||
		len(server.Layers) != 1 || server.Layers[0].Arn != layer {
		t.Errorf("the server function is %+v", server)
	}
	if image.MemorySize != 512 || image.Timeout != 60 || image.TracingConfig.Mode != "Active" || len(image.VpcConfig.SubnetIds) != 2 || len(image.VpcConfig.SecurityGroupIds) != 1 {
		t.Errorf("the image function is %+v", image)
	}
	publish(anchor.Settings{})
	for _, name := range []string{"anchor-" + p.Slug + "-server", "anchor-" + p.Slug + "-image"} {
		c := s.configured(t, name)
		if c.MemorySize != function.MemoryMB || c.Timeout != function.TimeoutSeconds || c.Runtime != "nodejs24.x" || c.KMSKeyArn != "" ||
			c.TracingConfig.Mode == "Active" || len(c.VpcConfig.SubnetIds) != 0 || len(c.Layers) != 0 {
			t.Errorf("without settings %s is %+v", name, c)
		}
	}
}

// TestApply_FollowsSettings: what is not part of a version is applied to the function, and removed again.
func TestApply_FollowsSettings(t *testing.T) {
	s, p := newStand(t), newProject()
	d := s.publish(t, artifactOf(t, p, platformtest.NewApp("one")))
	s.route(t, p, d, 1)
	name := "anchor-" + p.Slug + "-server"
	set, err := anchor.ParseSettings([]byte(`{"reservedConcurrency": 7, "provisionedConcurrency": 3, "logRetentionDays": 90, "tags": {"Team": "web"}}`))
	must(t, err)
	must(t, s.Apply(t.Context(), name, anchor.ServerFunction, anchor.Settings{}, set))
	seen := func() string {
		t.Helper()
		return s.cloud.CLI(t, "lambda", "get-function-concurrency", "--function-name", name) +
			s.cloud.CLI(t, "lambda", "get-function", "--function-name", name, "--query", "Tags") +
			s.cloud.CLI(t, "logs", "describe-log-groups", "--log-group-name-prefix", "/aws/lambda/"+name)
	}
	got := seen()
	for _, want := range []string{`"ReservedConcurrentExecutions": 7`, `"Team": "web"`, `"ManagedBy": "anchor-deploy"`, `"retentionInDays": 90`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
	kept := s.cloud.CLI(t, "lambda", "get-provisioned-concurrency-config", "--function-name", name, "--qualifier", anchor.LiveAlias)
	if !strings.Contains(kept, `"RequestedProvisionedConcurrentExecutions": 3`) {
		t.Errorf("kept started are %s", kept)
	}
	for range 2 {
		must(t, s.Apply(t.Context(), name, anchor.ServerFunction, set, anchor.Settings{}))
	}
	_, err = s.Lambda.GetProvisionedConcurrencyConfig(t.Context(), &lambda.GetProvisionedConcurrencyConfigInput{FunctionName: &name, Qualifier: sdk.String(anchor.LiveAlias)})
	if !awserr.Is(err, "ProvisionedConcurrencyConfigNotFoundException") {
		t.Errorf("without the setting there is %v", err)
	}
	got = seen()
	for _, gone := range []string{"ReservedConcurrentExecutions", "Team", `"retentionInDays": 90`} {
		if strings.Contains(got, gone) && (gone != `"retentionInDays": 90` || s.LogDays != 0) {
			t.Errorf("%s is still in %s", gone, got)
		}
	}
}
