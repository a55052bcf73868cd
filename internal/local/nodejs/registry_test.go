package nodejs_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/anchor-deploy/anchor/internal/local/nodejs"
)

// registry serves npm packages as an npm registry does. Their programs print a version and nothing else.
type registry struct {
	*nodejs.Registry
	downloads atomic.Int32
	alter     func(tarball []byte) []byte // changes what is sent, not what is listed
}

func newRegistry(t *testing.T, versions ...string) *registry {
	t.Helper()
	r := &registry{}
	archives := map[string][]byte{}
	for _, v := range versions {
		archives[v] = packProgram(t, "#!/bin/sh\necho v"+v+"\n")
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if archive, found := archives[strings.TrimSuffix(path.Base(req.URL.Path), ".tgz")]; found {
			r.downloads.Add(1)
			if r.alter != nil {
				archive = r.alter(archive)
			}
			_, _ = w.Write(archive)
			return
		}
		_, _ = w.Write(listVersions(t, "http://"+req.Host, archives))
	}))
	t.Cleanup(s.Close)
	r.Registry = &nodejs.Registry{URL: s.URL, Client: s.Client()}
	return r
}

func packProgram(t *testing.T, program string) []byte {
	t.Helper()
	var packed bytes.Buffer
	deflated := gzip.NewWriter(&packed)
	entries := tar.NewWriter(deflated)
	for name, content := range map[string]string{"package/LICENSE": "MIT", "package/bin/node": program} {
		if err := entries.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := entries.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := entries.Close(); err != nil {
		t.Fatal(err)
	}
	if err := deflated.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func listVersions(t *testing.T, at string, archives map[string][]byte) []byte {
	t.Helper()
	type dist struct {
		Tarball   string `json:"tarball"`
		Integrity string `json:"integrity"`
	}
	versions := map[string]map[string]dist{}
	for v, archive := range archives {
		sum := sha512.Sum512(archive)
		versions[v] = map[string]dist{"dist": {
			Tarball: fmt.Sprintf("%s/-/%s.tgz", at, v), Integrity: "sha512-" + base64.StdEncoding.EncodeToString(sum[:]),
		}}
	}
	list, err := json.Marshal(map[string]any{"versions": versions})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
