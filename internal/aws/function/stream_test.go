package function_test

import (
	"archive/zip"
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/function"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
	"github.com/anchor-deploy/anchor/internal/local/worker"
)

// The emulator buffers an answer before it sends it. So the published zip runs in Anchor's own
// worker, behind the guard: the answer of a streaming app must arrive in pieces, and that of a
// buffered one whole. The streaming app writes its second piece once the first one has been read.
func TestZip_Streams(t *testing.T) {
	gate := filepath.Join(t.TempDir(), "read")
	streaming := `import { existsSync } from "node:fs";` + answering(`
		stream.write('{"statusCode":200}');
		stream.write(Buffer.alloc(8));
		stream.write("began");
		while (!existsSync(`+strconv.Quote(gate)+`)) await new Promise((resolve) => setTimeout(resolve, 10));
		stream.end(" and ended");`)
	const buffered = `export const handler = async (event) => ({ statusCode: 200, headers: { "x-saw": event.headers["x-anchor-origin"] ?? "nothing" }, body: "whole" });`
	for name, test := range map[string]struct{ module, first, rest string }{
		"streaming": {streaming, "began", " and ended"},
		"buffered":  {buffered, "whole", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := artifactOf(t, anchor.Project{ID: "p", Slug: "shop"}, platformtest.NewApp("one").Server(test.module))
			url := run(t, function.New(function.Config{Installation: "anchor"}).Zip(t, a, anchor.ServerFunction))
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/", http.NoBody)
			must(t, err)
			r.Header.Set("X-Anchor-Origin", secret)
			res, err := http.DefaultClient.Do(r)
			must(t, err)
			defer res.Body.Close()
			piece := make([]byte, len(test.first))
			_, err = io.ReadFull(res.Body, piece)
			must(t, err)
			if test.rest != "" {
				write(t, gate, "yes", 0o600)
			}
			rest, err := io.ReadAll(res.Body)
			must(t, err)
			if res.StatusCode != http.StatusOK || string(piece) != test.first || string(rest) != test.rest {
				t.Errorf("it answers %d %q and %q", res.StatusCode, piece, rest)
			}
			if saw := res.Header.Get("X-Saw"); name == "buffered" && saw != "nothing" {
				t.Errorf("the app saw the secret %q", saw)
			}

			outsider, err := http.Get(url + "/")
			must(t, err)
			outsider.Body.Close()
			if outsider.StatusCode != http.StatusForbidden {
				t.Errorf("an outsider is answered %d", outsider.StatusCode)
			}
		})
	}
}

// run unpacks a zip and returns the URL of a server that runs it.
func run(t *testing.T, packed []byte) (url string) {
	t.Helper()
	server := httptest.NewServer(pool(t, packed, nil))
	t.Cleanup(server.Close)
	return server.URL
}

// pool unpacks a zip and returns a worker pool that runs it.
func pool(t *testing.T, packed []byte, env map[string]string) *worker.Pool {
	t.Helper()
	dir := t.TempDir()
	r, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	must(t, err)
	must(t, os.CopyFS(filepath.Join(dir, "code"), r))
	node, err := worker.FindNode(t.Context(), "")
	must(t, err)
	all := map[string]string{"ANCHOR_ORIGIN_SECRET": secret}
	maps.Copy(all, env)
	p, err := worker.NewPool(node, worker.Spec{
		Dir: filepath.Join(dir, "code"), Handler: "anchor-entry.handler", Tmp: dir, Max: 1, Env: all,
	})
	must(t, err)
	t.Cleanup(func() { p.Close() })
	return p
}
