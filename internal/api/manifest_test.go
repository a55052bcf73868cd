package api_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

// compressions are the headers of a compressed body: today's, and that of version 0.1.
var compressions = []http.Header{
	{"Content-Type": {wire.GzipType}},
	{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}},
}

func TestBody_MayBeCompressed(t *testing.T) {
	const deployments = "/projects/shop/deployments"
	manifest := `{"manifest":{"files":[{"path":"a","size":1,"digest":"` + string(artifact.DigestOf([]byte("a"))) + `"}]}}`
	for _, zipped := range compressions {
		base := withShop(t, api.Options{})
		post := func(path, body string, header http.Header) answer {
			return call(t, base, "POST", path, apitest.DeployToken, body, header)
		}
		post(deployments, zip(t, manifest), zipped).is(t, 201)
		post(deployments, zip(t, `{"surprise":1}`), zipped).isProblem(t, 400, "unknown_field")
		post(deployments, manifest, zipped).isProblem(t, 400, "bad_encoding")
		post(deployments, zip(t, manifest)[:30], zipped).isProblem(t, 400, "bad_encoding")
		damaged := []byte(zip(t, manifest))
		damaged[len(damaged)-6] ^= 1 // of the checksum
		post(deployments, string(damaged), zipped).isProblem(t, 400, "bad_encoding")
		post(deployments, "", zipped).isProblem(t, 400, "bad_encoding")
		post(deployments, manifest, http.Header{"Content-Type": zipped["Content-Type"], "Content-Encoding": {"br"}}).
			isProblem(t, 415, "unsupported_encoding")
		file := http.Header{"Content-Type": {"application/octet-stream"}, "Content-Encoding": {"gzip"}}
		if zipped.Get("Content-Encoding") == "" {
			file = zipped
		}
		a := call(t, base, "PUT", "/projects/shop/files/"+string(artifact.DigestOf([]byte("a"))), apitest.DeployToken, zip(t, "a"), file)
		if a.status != http.StatusUnsupportedMediaType && a.status != http.StatusLengthRequired {
			t.Errorf("a compressed file with the header %v is answered %d", file, a.status)
		}
		call(t, base, "POST", deployments, "", zip(t, manifest), zipped).isProblem(t, 401, "no_token")
	}
}

func TestBody_CompressedKeepsLimits(t *testing.T) {
	base := withShop(t, api.Options{})
	zipped := http.Header{"Content-Type": {wire.GzipType}}
	bomb := zip(t, `{"slug":"`+strings.Repeat("x", 33<<20)+`"}`)
	for _, path := range []string{"/projects", "/projects/shop/deployments"} {
		call(t, base, "POST", path, apitest.DeployToken, bomb, zipped).isProblem(t, 413, "too_large")
	}
	// Stored blocks of no bytes (RFC 1951 §3.2.4) inflate to nothing and are bytes all the same.
	nothing := zip(t, "")[:10] + strings.Repeat("\x00\x00\x00\xff\xff", 33<<20/5)
	call(t, base, "POST", "/projects/shop/deployments", apitest.DeployToken, nothing, zipped).isProblem(t, 413, "too_large")
}

func TestStartDeployment_ByDelta(t *testing.T) {
	base := withShop(t, api.Options{})
	before := artifact.Manifest{Files: []artifact.File{file("a", []byte("a")), file("b", []byte("b")), file("c", []byte("c"))}}
	first := start(t, base, "", before.Files...)
	after := artifact.Manifest{Files: []artifact.File{file("a", []byte("a")), file("b", []byte("B"))}}
	tell := func(project string, r wire.StartDeployment) answer {
		body, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return call(t, base, "POST", "/projects/"+project+"/deployments", apitest.DeployToken, string(body), nil)
	}
	delta := after.Since(first.Deployment.ID, before)
	var second wire.StartedDeployment
	tell("shop", wire.StartDeployment{Delta: &delta}).decode(t, &second)
	if len(second.Missing) != 2 {
		t.Errorf("missing %v, want a and B", second.Missing)
	}
	call(t, base, "POST", "/projects", apitest.DeployToken, `{"slug":"other"}`, nil).is(t, 201)
	tell("other", wire.StartDeployment{Delta: &delta}).isProblem(t, 409, "no_base")
	tell("shop", wire.StartDeployment{Delta: &delta, Manifest: after}).isProblem(t, 400, "two_manifests")
	wrong := delta
	wrong.Digest = artifact.DigestOf(nil)
	tell("shop", wire.StartDeployment{Delta: &wrong}).isProblem(t, 409, "no_base")
}

func zip(t *testing.T, body string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write([]byte(body))
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}
