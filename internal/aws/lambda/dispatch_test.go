package lambda_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	lambdasdk "github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/lambda"
)

// lambdaAPI answers Invoke and records its input.
type lambdaAPI struct {
	status int
	code   string
	asked  []*http.Request
	body   string
}

func (l *lambdaAPI) Do(r *http.Request) (*http.Response, error) {
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	l.asked, l.body = append(l.asked, r), string(sent)
	return &http.Response{
		StatusCode: l.status, Header: http.Header{"X-Amzn-Errortype": {l.code}}, Request: r,
		Body: io.NopCloser(bytes.NewReader([]byte(`{"message":"no"}`))),
	}, nil
}

func TestDispatch_InvokesDeployHandler(t *testing.T) {
	api := &lambdaAPI{status: http.StatusAccepted}
	dispatch := lambda.Dispatch(lambdasdk.NewFromConfig(sdk.Config{
		Region: "eu-central-1", HTTPClient: api, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	}), "anchor-deploy")
	must(t, dispatch(t.Context(), "p", "d"))
	if got := api.asked[0]; got.URL.Path != "/2015-03-31/functions/anchor-deploy/invocations" || got.Header.Get("X-Amz-Invocation-Type") != "Event" {
		t.Errorf("it asks for %s with %v", got.URL, got.Header)
	}
	if api.body != `{"deploymentId":"d","projectId":"p"}` {
		t.Errorf("the event is %s", api.body)
	}
	for code, want := range map[string]string{"AccessDeniedException": "access_denied", "ResourceNotFoundException": "no_deploy_handler"} {
		api.status, api.code = http.StatusBadRequest, code
		if err := dispatch(t.Context(), "p", "d"); anchor.CodeOf(err) != want || anchor.HintOf(err) == "" {
			t.Errorf("%s: %v", code, err)
		}
	}
}
