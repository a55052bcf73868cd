package lambda_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/anchor-deploy/anchor/internal/api/client"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/lambda"
)

// ask sends the event as JSON, like Lambda, and reads the answer from its JSON.
func ask(t *testing.T, h http.HandlerFunc, e events.APIGatewayV2HTTPRequest) events.APIGatewayV2HTTPResponse {
	t.Helper()
	var sent events.APIGatewayV2HTTPRequest
	recode(t, e, &sent)
	got, err := lambda.Gateway(h, slog.New(slog.DiscardHandler))(t.Context(), sent)
	must(t, err)
	var out events.APIGatewayV2HTTPResponse
	recode(t, got, &out)
	return out
}

func recode(t *testing.T, from, to any) {
	t.Helper()
	encoded, err := json.Marshal(from)
	must(t, err)
	must(t, json.Unmarshal(encoded, to))
}

func get(path string) events.APIGatewayV2HTTPRequest {
	e := events.APIGatewayV2HTTPRequest{Version: "2.0", RawPath: path, Headers: map[string]string{"host": "api.example"}}
	e.RequestContext.HTTP.Method, e.RequestContext.HTTP.SourceIP = http.MethodGet, "192.0.2.7"
	return e
}

func TestGateway_RequestArrivesWhole(t *testing.T) {
	e := get("/projects")
	e.RawQueryString = "limit=2&cursor=a%2Fb&limit=3"
	e.Headers["x-many"] = "one,two"
	e.Headers["authorization"] = "Bearer t"
	e.Cookies = []string{"a=1", "b=2"}
	var got *http.Request
	ask(t, func(_ http.ResponseWriter, r *http.Request) { got = r }, e)
	if got.Host != "api.example" || got.RemoteAddr != "192.0.2.7:0" || got.Header.Get("Authorization") != "Bearer t" {
		t.Errorf("host %q, remote %q, header %v", got.Host, got.RemoteAddr, got.Header)
	}
	if q := got.URL.Query(); !slices.Equal(q["limit"], []string{"2", "3"}) || q.Get("cursor") != "a/b" {
		t.Errorf("the query is %v", q)
	}
	if a, err := got.Cookie("a"); err != nil || a.Value != "1" || len(got.Cookies()) != 2 {
		t.Errorf("the cookies are %v", got.Cookies())
	}
	if got.Context().Err() == nil {
		t.Error("the request's context outlives its answer")
	}
}

func TestGateway_KeepsPathSpelling(t *testing.T) {
	for raw, want := range map[string]string{
		"/domains/*.bücher.example":           "/domains/*.bücher.example", // API Gateway has decoded it
		"/domains/%2A.b%C3%BCcher.example":    "/domains/*.bücher.example",
		"/env/A?b#c":                          "/env/A?b#c",
		"/env/100%":                           "/env/100%",
		"/env/a b":                            "/env/a b",
		"":                                    "/",
		"projects":                            "/projects",
		"/domains/https:%2F%2Fwww.example%2F": "/domains/https://www.example/",
	} {
		var got string
		ask(t, func(_ http.ResponseWriter, r *http.Request) { got = r.URL.Path }, get(raw))
		if got != want {
			t.Errorf("the path %q arrives as %q, want %q", raw, got, want)
		}
	}
}

// everyByte is not UTF-8.
var everyByte = func() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}()

func TestGateway_BinaryBodies(t *testing.T) {
	large := bytes.Repeat(everyByte, 4<<20/256) // of what Lambda takes as base64
	for _, body := range [][]byte{everyByte, large, []byte("text"), {}} {
		e := get("/files")
		e.Headers["content-type"] = "application/octet-stream"
		e.Body, e.IsBase64Encoded = awstest.GatewayBody("application/octet-stream", body)
		var length int64
		got := ask(t, func(w http.ResponseWriter, r *http.Request) {
			length = r.ContentLength
			read, err := io.ReadAll(r.Body)
			must(t, err)
			_, _ = w.Write(read)
		}, e)
		back := []byte(got.Body)
		if got.IsBase64Encoded {
			var err error
			back, err = base64.StdEncoding.DecodeString(got.Body)
			must(t, err)
		}
		if !bytes.Equal(back, body) || length != int64(len(body)) {
			t.Errorf("of %d bytes %d came back, announced as %d", len(body), len(back), length)
		}
	}
	broken := get("/files")
	broken.Body, broken.IsBase64Encoded = "%", true
	wantProblem(t, ask(t, http.NotFound, broken), 400, "bad_request")
}

// TestGateway_ClientStartsADeployment sends what `anchor deploy` sends first, with the API's own
// client. Its body is compressed, and API Gateway passes only some types on unharmed.
func TestGateway_ClientStartsADeployment(t *testing.T) {
	s := newStand(t)
	s.newProject()
	gateway := httptest.NewServer(http.HandlerFunc(s.gateway))
	defer gateway.Close()
	m := artifact.Manifest{Files: []artifact.File{{Path: "a", Size: 1, Digest: artifact.DigestOf([]byte("a"))}}}
	c := client.New(gateway.URL, s.token)
	c.Attempts = 1
	started, err := c.Start(t.Context(), "shop", wire.StartDeployment{Manifest: m})
	must(t, err)
	if !slices.Equal(started.Missing, []artifact.Digest{m.Files[0].Digest}) {
		t.Errorf("missing are %v", started.Missing)
	}
}

// gateway answers a request as API Gateway's HTTP API does, with the api handler behind it.
func (s *stand) gateway(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	must(s.t, err)
	header := map[string]string{}
	for name, values := range r.Header {
		header[strings.ToLower(name)] = strings.Join(values, ",")
	}
	out := s.call("api", r.Method, r.URL.Path, string(body), header, nil)
	for name, value := range out.Headers {
		w.Header().Set(name, value)
	}
	w.WriteHeader(out.StatusCode)
	_, _ = io.WriteString(w, out.Body)
}

func TestGateway_AnswerLeavesWhole(t *testing.T) {
	got := ask(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Vary", "Accept")
		w.Header().Add("Vary", "Cookie")
		w.Header().Add("Set-Cookie", "a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT")
		w.Header().Add("Set-Cookie", "b=2")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusCreated)
		w.Header().Set("X-Late", "1")
		w.WriteHeader(http.StatusTeapot)
	}, get("/"))
	if got.StatusCode != 201 || got.Headers["Vary"] != "Accept, Cookie" || got.Headers["X-Late"] != "" {
		t.Errorf("the answer is %+v", got)
	}
	if want := []string{"a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2"}; !slices.Equal(got.Cookies, want) {
		t.Errorf("the cookies are %q", got.Cookies)
	}
}

func TestGateway_StreamIsSentAtEnd(t *testing.T) {
	got := ask(t, func(w http.ResponseWriter, _ *http.Request) {
		for _, part := range []string{"one ", "two"} {
			_, _ = io.WriteString(w, part)
			must(t, http.NewResponseController(w).Flush())
		}
	}, get("/"))
	if got.Body != "one two" || got.StatusCode != 200 {
		t.Errorf("the answer is %+v", got)
	}
}

func TestGateway_AnswersLambdaRefuses(t *testing.T) {
	for name, body := range map[string]string{
		"text":    strings.Repeat("x", 6<<20),
		"escapes": strings.Repeat(`"`, 3<<20+1), // two bytes each in JSON
		"binary":  strings.Repeat("\xff", 5<<20),
	} {
		t.Run(name, func(t *testing.T) {
			got := ask(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }, get("/"))
			wantProblem(t, got, 500, "answer_too_large")
		})
	}
	got := ask(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 5<<20)) }, get("/"))
	if got.StatusCode != 200 || len(got.Body) != 5<<20 {
		t.Errorf("5 MB are answered %d with %d bytes", got.StatusCode, len(got.Body))
	}
}

func TestGateway_PanicIsAnswer(t *testing.T) {
	for _, v := range []any{"secret", http.ErrAbortHandler} {
		got := ask(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			panic(v)
		}, get("/"))
		wantProblem(t, got, 500, "internal")
		if strings.Contains(got.Body, "secret") || strings.Contains(got.Body, "half") {
			t.Errorf("it reports %s", got.Body)
		}
	}
}

func wantProblem(t *testing.T, got events.APIGatewayV2HTTPResponse, status int, code string) {
	t.Helper()
	var p wire.Problem
	if err := json.Unmarshal([]byte(got.Body), &p); err != nil {
		t.Fatalf("the answer is not a problem: %.200s", got.Body)
	}
	if got.StatusCode != status || p.Status != status || p.Code != code || p.Hint == "" || got.Headers["Content-Type"] != "application/problem+json" {
		t.Errorf("the answer is %+v, want %d %s", got, status, code)
	}
}
