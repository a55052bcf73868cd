package front_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/front/fronttest"
)

// echo answers with the request that reached it.
const echo = `export const handler = async (event) => ({
  statusCode: 200,
  headers: { 'content-type': 'application/json', 'cache-control': 's-maxage=2' },
  body: JSON.stringify({
    name: process.env.NAME, path: event.rawPath, query: event.rawQueryString, headers: event.headers,
    cookies: event.cookies, method: event.requestContext.http.method, body: event.body,
  }),
});`

type echoed struct {
	Name, Path, Query, Method, Body string
	Headers                         map[string]string
	Cookies                         []string
}

// functionURL creates a function that answers with its name, and returns its URL's host.
func (s *stand) functionURL(name string) string {
	s.t.Helper()
	client := lambda.NewFromConfig(s.cloud.Config())
	var code bytes.Buffer
	z := zip.NewWriter(&code)
	f, err := z.Create("index.mjs")
	if err == nil {
		_, err = f.Write([]byte(echo))
	}
	if err = firstError(err, z.Close()); err != nil {
		s.t.Fatal(err)
	}
	_, err = client.CreateFunction(s.t.Context(), &lambda.CreateFunctionInput{
		FunctionName: sdk.String(name), Runtime: types.RuntimeNodejs20x, Handler: sdk.String("index.handler"),
		Role: sdk.String("arn:aws:iam::" + s.cloud.Account + ":role/site"), Code: &types.FunctionCode{ZipFile: code.Bytes()},
		Environment: &types.Environment{Variables: map[string]string{"NAME": name}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := client.CreateFunctionUrlConfig(s.t.Context(), &lambda.CreateFunctionUrlConfigInput{
		FunctionName: sdk.String(name), AuthType: types.FunctionUrlAuthTypeNone,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = client.AddPermission(s.t.Context(), &lambda.AddPermissionInput{
		FunctionName: sdk.String(name), StatementId: sdk.String("url"), Principal: sdk.String("*"),
		Action: sdk.String("lambda:InvokeFunctionUrl"), FunctionUrlAuthType: types.FunctionUrlAuthTypeNone,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	u, err := url.Parse(sdk.ToString(out.FunctionUrl))
	if err != nil {
		s.t.Fatal(err)
	}
	return u.Host
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// put writes a file into the assets bucket.
func (s *stand) put(key, text string) {
	s.t.Helper()
	client := s3.NewFromConfig(s.cloud.Config(), func(o *s3.Options) { o.UsePathStyle = true })
	_, err := client.HeadBucket(s.t.Context(), &s3.HeadBucketInput{Bucket: sdk.String(bucket)})
	if err != nil {
		_, err = client.CreateBucket(s.t.Context(), &s3.CreateBucketInput{
			Bucket: sdk.String(bucket), CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: awstest.Region},
		})
	}
	if awstest.Made(err) == nil {
		_, err = client.PutObject(s.t.Context(), &s3.PutObjectInput{
			Bucket: sdk.String(bucket), Key: sdk.String(key), Body: strings.NewReader(text), ContentType: sdk.String("text/plain"),
		})
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stand) echo(res *http.Response) (e echoed) {
	s.t.Helper()
	text := body(s.t, res)
	if err := json.Unmarshal([]byte(text), &e); err != nil || res.StatusCode != http.StatusOK {
		s.t.Fatalf("it answers %d %q", res.StatusCode, text)
	}
	return e
}

// TestServe uses a distribution as a browser would: live and preview, files and functions, a
// switch and back.
func TestServe(t *testing.T) {
	s := newStand(t)
	live := map[string]string{"default": s.functionURL("live"), "imageOptimizer": s.functionURL("live-image"), "api": s.functionURL("live-api")}
	site, err := s.Ensure(t.Context(), s.project, live)
	if err != nil {
		t.Fatal(err)
	}
	a, b := s.artifact(), s.artifact()
	s.put("assets/"+string(s.project.ID)+"/_next/static/chunk.js", "chunk")
	s.put("deployments/"+string(a.Project.ID)+"/"+string(a.Deployment.ID)+"/favicon.ico", "icon of a")
	s.put("deployments/"+string(b.Project.ID)+"/"+string(b.Deployment.ID)+"/favicon.ico", "icon of b")
	s.put("deployments/"+string(b.Project.ID)+"/"+string(b.Deployment.ID)+"/img/ä b+.txt", "picture")
	s.publish(a)
	b.Build.Routes[2].Function, b.Build.Routes[2].Pattern = "api", "api/*"
	b.Build.Routes = append(b.Build.Routes[:3:3], a.Build.Routes[2:]...)
	own := map[string]string{"default": s.functionURL("own"), "imageOptimizer": s.functionURL("own-image"), "api": s.functionURL("own-api")}
	if err := s.Publish(t.Context(), b, own); err != nil {
		t.Fatal(err)
	}
	edge := fronttest.New(t, s.cloud)
	base := "https://" + site.Domain

	if res := s.get(edge, base+"/"); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("before the first release it answers %d", res.StatusCode)
	}
	if err := s.Follow(t.Context(), s.project, s.live(a, 1)); err != nil {
		t.Fatal(err)
	}
	got := s.echo(s.get(edge, base+"/page?x=%20y"))
	if got.Name != "live" || got.Path != "/page" || got.Query != "x=%20y" {
		t.Errorf("a page reaches %+v", got)
	}
	if got.Headers["x-anchor-origin"] != "new,old" || got.Headers["x-forwarded-host"] != site.Domain ||
		got.Headers["x-anchor-deployment"] != string(a.Deployment.ID) {
		t.Errorf("its headers are %v", got.Headers)
	}
	for path, want := range map[string]string{"/favicon.ico": "icon of a", "/_next/static/chunk.js": "chunk"} {
		if text := body(t, s.get(edge, base+path)); text != want {
			t.Errorf("%s is %q", path, text)
		}
	}
	if res := s.get(edge, base+"/img/none.png"); res.StatusCode != http.StatusNotFound {
		t.Errorf("a missing file is %d", res.StatusCode)
	}

	res := s.get(edge, base+"/__anchor/preview/"+string(b.Deployment.ID))
	if res.StatusCode != http.StatusFound || len(res.Cookies()) != 1 {
		t.Fatalf("the preview answers %d with %v", res.StatusCode, res.Header)
	}
	cookie := res.Cookies()[0].Name + "=" + res.Cookies()[0].Value
	got = s.echo(s.get(edge, base+"/page", cookie, "theirs=1"))
	if got.Name != "own" || got.Headers["x-anchor-deployment"] != string(b.Deployment.ID) || got.Headers["x-anchor-origin"] != "new,old" {
		t.Errorf("the preview reaches %+v", got)
	}
	if cookies := strings.Join(got.Cookies, ";") + got.Headers["cookie"]; strings.Contains(cookies, "__anchor") || !strings.Contains(cookies, "theirs=1") {
		t.Errorf("the app sees the cookies %q", cookies)
	}
	if text := body(t, s.get(edge, base+"/favicon.ico", cookie)); text != "icon of b" {
		t.Errorf("the preview's file is %q", text)
	}
	if text := body(t, s.get(edge, base+"/img/%C3%A4%20b%2B.txt?response-content-type=text/html", cookie)); text != "picture" {
		t.Errorf("a file with a difficult name is %q", text)
	}
	for path, want := range map[string]string{"/api/x": "own-api", "/_next/image?url=%2Fa.png&w=64&q=75": "own-image"} {
		if got := s.echo(s.get(edge, base+path, cookie)); got.Name != want {
			t.Errorf("the preview's %s reaches %s", path, got.Name)
		}
	}

	if err := s.Follow(t.Context(), s.project, s.live(b, 2)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/": "live", "/api/x": "live-api", "/_next/image?url=%2Fa.png&w=64&q=75": "live-image"} {
		if got := s.echo(s.get(edge, base+path)); got.Name != want || got.Headers["x-anchor-deployment"] != string(b.Deployment.ID) {
			t.Errorf("%s reaches %s with %v", path, got.Name, got.Headers)
		}
	}
	if text := body(t, s.get(edge, base+"/favicon.ico")); text != "icon of b" {
		t.Errorf("after the switch the file is %q", text)
	}
}

func TestServe_EveryMethod(t *testing.T) {
	s := newStand(t)
	host := s.functionURL("live")
	site, err := s.Ensure(t.Context(), s.project, map[string]string{"default": host})
	if err != nil {
		t.Fatal(err)
	}
	s.publishAndSwitch(site)
	edge := fronttest.New(t, s.cloud)
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		r := httptest.NewRequest(method, "https://"+site.Domain+"/favicon.ico", strings.NewReader("the form"))
		r.Header.Set("Content-Type", "text/plain")
		w := httptest.NewRecorder()
		edge.ServeHTTP(w, r)
		if got := s.echo(w.Result()); got.Method != method || got.Body != "the form" {
			t.Errorf("%s reaches the function as %+v", method, got)
		}
	}
	live := s.live(s.artifact(), 1)
	if err := s.Purge(t.Context(), s.project, live); err != nil {
		t.Fatal(err)
	}
	if paths, err := edge.Invalidations(t.Context(), site.Distribution); err != nil || len(paths) != 1 || paths[0] != "/*" {
		t.Errorf("the invalidated paths are %q, %v", paths, err)
	}
	if res := s.get(edge, "https://elsewhere.cloudfront.net/"); res.StatusCode != http.StatusForbidden {
		t.Errorf("an unknown host answers %d", res.StatusCode)
	}
}
