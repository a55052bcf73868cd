package install_test

import (
	"archive/zip"
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/install"
	"github.com/anchor-deploy/anchor/internal/aws/installation"
)

func TestMain(m *testing.M) { os.Exit(awstest.Sharing(m).Run()) }

// handlers returns a stand-in for the handlers' code, which nothing runs.
func handlers(t *testing.T, content string) fs.FS {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	h := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate}
	h.SetMode(0o755)
	w, err := z.CreateHeader(h)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{"arm64.zip": {Data: b.Bytes()}, "amd64.zip": {Data: b.Bytes()}}
}

func config(t *testing.T, cloud *awstest.Cloud) install.Config {
	return install.Config{AWS: cloud.Config(), Options: installation.Options{Version: "v1.2.0"}, Handlers: handlers(t, "one"), Poll: 5 * time.Millisecond}
}

func open(t *testing.T, c install.Config) *install.Installation {
	t.Helper()
	i, err := install.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// bootstrapped returns an existing installation.
func bootstrapped(t *testing.T, c install.Config) (*install.Installation, installation.Bootstrapped) {
	t.Helper()
	i := open(t, c)
	b, err := i.Bootstrap(t.Context(), installation.BootstrapOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return i, b
}

// fails asserts an error that a user meets: its kind, its code, and what it names.
func fails(t *testing.T, err error, kind anchor.Kind, code string, names ...string) {
	t.Helper()
	if anchor.KindOf(err) != kind || anchor.CodeOf(err) != code || anchor.HintOf(err) == "" {
		t.Errorf("error %v (%s, %s, hint %q), want one of kind %s and code %s with a hint",
			err, anchor.KindOf(err), anchor.CodeOf(err), anchor.HintOf(err), kind, code)
		return
	}
	for _, name := range names {
		if !strings.Contains(err.Error()+"\n"+anchor.HintOf(err), name) {
			t.Errorf("error %v (hint %q) does not name %s", err, anchor.HintOf(err), name)
		}
	}
}

// operations returns the operations of calls, each once.
func operations(calls []awstest.Call) []string {
	var names []string
	for _, c := range calls {
		if !slices.Contains(names, c.Operation) {
			names = append(names, c.Operation)
		}
	}
	slices.Sort(names)
	return names
}

// client makes a function an HTTP client of the SDK.
type client func(*http.Request) (*http.Response, error)

func (c client) Do(r *http.Request) (*http.Response, error) { return c(r) }

// inState makes the stack appear to be in another state. The emulators cannot be brought into all
// states.
func inState(c install.Config, status types.StackStatus) install.Config {
	return answering(c, "DescribeStacks", stackStatus, "<StackStatus>"+string(status)+"</StackStatus>")
}

var stackStatus = regexp.MustCompile(`<StackStatus>\w+</StackStatus>`)

// answering replaces part of the emulator's answers to an operation.
func answering(c install.Config, operation string, said *regexp.Regexp, instead string) install.Config {
	wire := c.AWS.HTTPClient
	c.AWS.HTTPClient = client(func(r *http.Request) (*http.Response, error) {
		res, err := wire.Do(r)
		if err != nil || awsmiddleware.GetOperationName(r.Context()) != operation {
			return res, err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return nil, err
		}
		body = said.ReplaceAllLiteral(body, []byte(instead))
		res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return res, nil
	})
	return c
}
