package function

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"golang.org/x/sync/errgroup"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/retry"
)

// originHeader is the header that the guard requires, see entry/guard.mjs.
const originHeader = "x-anchor-origin"

// target is a function of a deployment that is probed.
type target struct {
	part
	alias string
	host  string
}

// answer is a function URL's answer.
type answer struct {
	status int
	body   string // its beginning
	guard  bool   // the guard itself refused, so the bundle is loaded
}

// Probe requests the front page from the new version's server function through the deployment's
// own URL. Any status below 500 passes. It also starts the split functions, by a request that
// their guard refuses, so that a bundle that crashes at import is found before it is live. The image
// function is started too, so that the switch finds it warm, but it does not have to answer.
func (f *Functions) Probe(ctx context.Context, a deploy.Artifact, note deploy.Note) error {
	limited, cancel := context.WithTimeout(ctx, f.ProbeLimit)
	defer cancel()
	group, limited := errgroup.WithContext(limited)
	for _, p := range f.partsOf(a) {
		t := target{part: p, alias: deploymentAlias(a.Deployment.ID)}
		switch {
		case p.name == anchor.ServerFunction:
			group.Go(func() error { return f.probePage(limited, t, a.Build.BasePath+"/", note) })
		case p.name == anchor.ImageFunction:
			group.Go(func() error { f.warm(limited, t.function, t.alias); return nil })
		case p.http:
			group.Go(func() error { return f.probeStart(limited, t, note) })
		}
	}
	err := group.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx) // canceled: not a fault of the new version
	}
	return err
}

func (f *Functions) probePage(ctx context.Context, t target, path string, note deploy.Note) error {
	secret, err := f.secretOf(ctx, t)
	if err != nil {
		return err
	}
	got, err := f.askFunction(ctx, &t, path, secret)
	switch {
	case err != nil:
		return f.explainUnanswered(ctx, t, path, secret, err)
	case got.guard:
		return probeFailed("the new version refused GET %s from Anchor itself", path)
	case got.status >= http.StatusInternalServerError:
		return f.withWords(ctx, t, path, secret, probeFailed("the new version answered GET %s with %d", path, got.status))
	}
	note("GET %s answered %d", path, got.status)
	return nil
}

// secretOf returns the origin secret that the version was published with.
func (f *Functions) secretOf(ctx context.Context, t target) (string, error) {
	have, err := f.awaitSettled(ctx, t.function, t.alias)
	switch {
	case isMissing(err):
		return "", anchor.Failed("not_published", "function %s has no version on alias %s to probe", t.function, t.alias).
			Hintf("Deploy again.").Because(err)
	case err != nil:
		return "", explainFailure(err, "read function %s", t.function)
	case have.Environment == nil || have.Environment.Variables[secretEnv] == "":
		return "", anchor.Failed("origin_secret_missing", "the environment of function %s on alias %s cannot be read", t.function, t.alias).
			Hintf("If it is encrypted with a key of yours, allow kms:Decrypt to the role that Anchor runs as.")
	}
	return have.Environment.Variables[secretEnv], nil
}

// probeStart sends a request without the secret. The guard's refusal proves that the bundle is
// loaded and that the URL is guarded.
func (f *Functions) probeStart(ctx context.Context, t target, note deploy.Note) error {
	got, err := f.askFunction(ctx, &t, "/", "")
	switch {
	case err != nil:
		return f.explainUnanswered(ctx, t, "/", "", err)
	case !got.guard:
		return f.withWords(ctx, t, "/", "", anchor.Failed("start_crashed", "function %s crashes when it starts", t.name).
			Hintf("Run the build locally, or set missing environment variables with `anchor env set`."))
	}
	note("function %s started", t.name)
	return nil
}

// askFunction sends a GET to a function's URL and reads the whole answer. A new URL is not known
// everywhere at once: until its name resolves and its permission applies, ask repeats the
// request.
func (f *Functions) askFunction(ctx context.Context, t *target, path, secret string) (answer, error) {
	var err error
	if t.host, err = f.urlHost(ctx, t.function, t.alias); err != nil {
		return answer{}, explainFailure(err, "read the URL of function %s on alias %s", t.function, t.alias)
	}
	var got answer
	_ = retry.Poll(ctx, f.reads(0), func() (known bool, _ error) { // when ctx ends, the last answer is the result
		var young bool
		got, young, err = f.get(ctx, "https://"+t.host+path, secret)
		return !young, nil
	})
	return got, err
}

// get sends one request. young reports that the answer is one of a URL that is not known
// everywhere yet.
func (f *Functions) get(ctx context.Context, url, secret string) (got answer, young bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return answer{}, false, err
	}
	r.Header.Set("User-Agent", "Anchor")
	r.Header.Set("Accept-Encoding", "identity")
	if secret != "" {
		r.Header.Set(originHeader, secret)
	}
	client := *f.HTTP
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(r)
	if err != nil {
		return answer{}, ctx.Err() == nil, err
	}
	defer res.Body.Close()
	head, err := io.ReadAll(io.LimitReader(res.Body, 1<<10))
	if err == nil {
		_, err = io.Copy(io.Discard, res.Body)
	}
	if err != nil {
		return answer{}, false, fmt.Errorf("the answer broke off: %w", err)
	}
	got = answer{status: res.StatusCode, body: string(head)}
	got.guard = got.status == http.StatusForbidden && got.body == "Forbidden\n"
	denied := res.Header.Get("X-Amzn-Errortype")
	return got, got.status == http.StatusForbidden && strings.HasPrefix(denied, "AccessDenied"), nil
}

func probeFailed(format string, args ...any) *anchor.Error {
	return anchor.Failed("probe_failed", format, args...).
		Hintf("To see its output, run `anchor logs`. Live traffic was not affected.")
}

func (f *Functions) explainUnanswered(ctx context.Context, t target, path, secret string, err error) error {
	if ctx.Err() != nil {
		return anchor.Failed("probe_timeout", "function %s did not answer GET %s within %s", t.name, path, f.ProbeLimit).
			Hintf("To see what it waits for, run `anchor logs`.").Because(err)
	}
	if anchor.CodeOf(err) != "" {
		return err
	}
	return f.withWords(ctx, t, path, secret, probeFailed("function %s did not complete its response to GET %s", t.name, path).Because(err))
}

// withWords adds the function's own error to a failure: an invocation without the URL returns the
// exception that a URL hides.
func (f *Functions) withWords(ctx context.Context, t target, path, secret string, failure *anchor.Error) error {
	event, err := json.Marshal(map[string]any{
		"version": "2.0", "rawPath": path, "rawQueryString": "", "headers": map[string]string{originHeader: secret, "host": t.host},
		"requestContext": map[string]any{
			"domainName": t.host, "http": map[string]string{"method": http.MethodGet, "path": path, "sourceIp": "127.0.0.1", "protocol": "HTTP/1.1"},
		},
	})
	if err != nil {
		return failure
	}
	out, err := f.Lambda.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: &t.function, Qualifier: &t.alias, Payload: event, LogType: types.LogTypeTail,
	})
	if err != nil || out.FunctionError == nil {
		return failure
	}
	var said struct{ ErrorType, ErrorMessage string }
	if json.Unmarshal(out.Payload, &said) != nil || said.ErrorMessage == "" {
		return failure
	}
	words := fmt.Sprintf("%s: %s", said.ErrorType, said.ErrorMessage)
	if log, err := base64.StdEncoding.DecodeString(sdk.ToString(out.LogResult)); err == nil && len(log) > 0 {
		words += "\n" + strings.TrimSpace(string(log))
	}
	return failure.Because(fmt.Errorf("function %s says %s", t.name, words))
}
