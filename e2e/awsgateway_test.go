package e2e

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
)

// newGateway returns the installation's HTTP API, with its own routes to its handlers.
func newGateway(a *account) http.Handler {
	a.t.Helper()
	var apis struct {
		Items []struct {
			APIID string `json:"ApiId"`
		}
	}
	a.aws(&apis, "apigatewayv2", "get-apis")
	if len(apis.Items) != 1 {
		a.t.Fatalf("the account has %d HTTP APIs", len(apis.Items))
	}
	id := apis.Items[0].APIID
	var integrations struct {
		Items []struct{ IntegrationID, IntegrationURI string }
	}
	a.aws(&integrations, "apigatewayv2", "get-integrations", "--api-id", id)
	targets := map[string]*lambdaFunction{}
	for _, i := range integrations.Items {
		// …:function:NAME, in whatever the integration wraps it
		_, name, _ := strings.Cut(i.IntegrationURI, ":function:")
		name, _, _ = strings.Cut(name, "/")
		targets["integrations/"+i.IntegrationID] = a.handlers[name]
	}
	var routes struct {
		Items []struct{ RouteKey, Target string }
	}
	a.aws(&routes, "apigatewayv2", "get-routes", "--api-id", id)
	mux := http.NewServeMux()
	for _, r := range routes.Items {
		f := targets[r.Target]
		if f == nil {
			a.t.Fatalf("route %s leads to %s, which is none of %v", r.RouteKey, r.Target, targets)
		}
		mux.Handle(pattern(r.RouteKey), integration{f})
	}
	return mux
}

// pattern formats a route key as net/http does.
func pattern(key string) string {
	key = strings.TrimPrefix(strings.ReplaceAll(key, "+}", "...}"), "ANY ")
	if key == "$default" {
		return "/"
	}
	return key
}

// gatewayLimit is how long API Gateway waits for an answer ("Quotas for configuring and
// running an HTTP API").
const gatewayLimit = 30 * time.Second

// integration is a Lambda proxy integration, payload format 2.0.
type integration struct{ *lambdaFunction }

// ServeHTTP implements http.Handler.
func (i integration) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 10<<20))
	if err != nil {
		http.Error(w, `{"message":"Request Entity Too Large"}`, http.StatusRequestEntityTooLarge)
		return
	}
	e := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: r.Pattern, RawPath: r.URL.Path, RawQueryString: r.URL.RawQuery,
		Headers: map[string]string{"host": r.Host},
	}
	e.Body, e.IsBase64Encoded = awstest.GatewayBody(r.Header.Get("Content-Type"), body)
	for name, values := range r.Header {
		e.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	e.RequestContext.HTTP.Method, e.RequestContext.HTTP.Path, e.RequestContext.HTTP.SourceIP = r.Method, r.URL.Path, "127.0.0.1"
	e.RequestContext.DomainName = r.Host
	event, err := json.Marshal(e)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	began := time.Now()
	raw, err := i.invoke(r.Context(), event)
	if err == nil && time.Since(began) > gatewayLimit {
		http.Error(w, `{"message":"Service Unavailable"}`, http.StatusServiceUnavailable)
		return
	}
	var answer events.APIGatewayV2HTTPResponse
	if err == nil {
		err = json.Unmarshal(raw, &answer)
	}
	if err != nil {
		http.Error(w, `{"message":"Internal Server Error"}`, http.StatusInternalServerError)
		return
	}
	respond(w, answer)
}

func respond(w http.ResponseWriter, answer events.APIGatewayV2HTTPResponse) {
	for name, value := range answer.Headers {
		w.Header().Set(name, value)
	}
	for _, cookie := range answer.Cookies {
		w.Header().Add("Set-Cookie", cookie)
	}
	body := []byte(answer.Body)
	if answer.IsBase64Encoded {
		decoded, err := base64.StdEncoding.DecodeString(answer.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		body = decoded
	}
	w.WriteHeader(answer.StatusCode)
	w.Write(body)
}
