package stack_test

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/awstest"
	"github.com/anchor-deploy/anchor/internal/stack"
)

// handlers is code that could be a handler's; nothing runs it.
func handlers(t *testing.T, content string) fs.FS {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("bootstrap")
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

func config(t *testing.T, cloud *awstest.Cloud) stack.Config {
	return stack.Config{AWS: cloud.Config(), Version: "v1.2.0", Handlers: handlers(t, "one"), Poll: 5 * time.Millisecond}
}

func installation(t *testing.T, c stack.Config) *stack.Installation {
	t.Helper()
	i, err := stack.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// bootstrapped is an installation that is there.
func bootstrapped(t *testing.T, c stack.Config) (*stack.Installation, stack.Bootstrapped) {
	t.Helper()
	i := installation(t, c)
	b, err := i.Bootstrap(t.Context(), stack.BootstrapOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return i, b
}

// fails checks an error that a user meets: its kind, its code, and what it names.
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
