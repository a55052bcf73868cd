package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// invoker calls one alias of a project's function as Lambda's Invoke does, without any URL or
// cache: the alias' version at that moment answers.
type invoker struct {
	client   *lambda.Client
	function string
	alias    string
	secret   string // of the origin, without which the product's own guard refuses
}

// invoker reads the origin's secret where Lambda keeps it.
func (a *account) invoker(t *testing.T, function string) invoker {
	t.Helper()
	var c struct {
		Environment struct{ Variables map[string]string }
	}
	a.aws(&c, "lambda", "get-function-configuration", "--function-name", function, "--qualifier", "live")
	secret := c.Environment.Variables["ANCHOR_ORIGIN_SECRET"]
	if secret == "" {
		t.Fatalf("function %s has no origin secret: anybody could ask it", function)
	}
	config := a.cloud.Config()
	config.RetryMaxAttempts, config.Retryer = 1, func() sdk.Retryer { return sdk.NopRetryer{} }
	return invoker{lambda.NewFromConfig(config), function, "live", secret}
}

// get sends the function a GET as its URL would, and returns the answer.
func (i invoker) get(t *testing.T, path string) (page, error) {
	e := events.LambdaFunctionURLRequest{
		Version: "2.0", RawPath: path,
		Headers: map[string]string{"host": "shop.example.com", "x-forwarded-host": "shop.example.com", "x-anchor-origin": i.secret},
	}
	e.RequestContext.DomainName = "shop.example.com"
	e.RequestContext.HTTP.Method, e.RequestContext.HTTP.Path, e.RequestContext.HTTP.SourceIP = http.MethodGet, path, "192.0.2.1"
	payload, err := json.Marshal(e)
	if err != nil {
		return page{}, err
	}
	out, err := i.client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &i.function, Qualifier: &i.alias, Payload: payload})
	if err != nil {
		return page{}, err
	}
	if out.FunctionError != nil {
		return page{}, fmt.Errorf("%s: %s", *out.FunctionError, out.Payload)
	}
	return streamed(out.Payload)
}

// streamed reads the answer of a function that streams: a prelude in JSON, eight NUL
// bytes and the body (Lambda, "Response streaming", awslambda.HttpResponseStream).
func streamed(payload []byte) (page, error) {
	var text string
	if err := json.Unmarshal(payload, &text); err != nil {
		return page{}, fmt.Errorf("the answer is not text: %w: %.200s", err, payload)
	}
	head, body, ok := strings.Cut(text, strings.Repeat("\x00", 8))
	if !ok {
		return page{}, fmt.Errorf("the answer has no prelude: %.200s", text)
	}
	var prelude struct {
		StatusCode int
		Headers    map[string]any
	}
	if err := json.Unmarshal([]byte(head), &prelude); err != nil {
		return page{}, fmt.Errorf("the prelude is not JSON: %w: %.200s", err, head)
	}
	p := page{Status: prelude.StatusCode, Header: http.Header{}, Body: body}
	for name, value := range prelude.Headers {
		several, ok := value.([]any) // cookies, as the runtime of the tests sends them
		if !ok {
			several = []any{value}
		}
		for _, one := range several {
			p.Header.Add(name, fmt.Sprint(one))
		}
	}
	return p, nil
}

// alias returns the version of an alias according to the real AWS CLI.
func (a *account) alias(function, alias string) string {
	a.t.Helper()
	var got struct{ FunctionVersion string }
	a.aws(&got, "lambda", "get-alias", "--function-name", function, "--name", alias)
	return got.FunctionVersion
}

// versions returns the versions in a deployment's record, by function.
func (a *account) versions(t *testing.T, project, deployment string) map[string]functionVersion {
	t.Helper()
	var record struct{ Functions map[string]functionVersion }
	if code, err := a.call("GET", "/projects/"+project+"/deployments/"+deployment, nil, &record); code != 200 || err != nil {
		t.Fatal(code, err)
	}
	return record.Functions
}

type functionVersion struct{ Version, VersionArn, CodeSha256 string }

// wantLive asserts with the AWS CLI that every function of the project serves the version in the
// deployment's record.
func (a *account) wantLive(t *testing.T, project, deployment string) {
	t.Helper()
	for name, want := range a.versions(t, project, deployment) {
		// arn:aws:lambda:REGION:ACCOUNT:function:NAME:VERSION
		part := strings.Split(want.VersionArn, ":")
		if len(part) != 8 {
			t.Fatalf("the version of %s is %q", name, want.VersionArn)
		}
		if got := a.alias(part[6], "live"); got != want.Version {
			t.Errorf("live of %s is version %s, want %s of deployment %s", part[6], got, want.Version, deployment)
		}
	}
}
