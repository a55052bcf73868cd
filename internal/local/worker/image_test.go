package worker

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// imageBundle does what OpenNext's image function does with an error: it logs it and answers 500.
const imageBundle = `
class ImageError extends Error { constructor(status, message) { super(message); this.statusCode = status; } }
const thrown = {
  "/413": new ImageError(413, "too large"),
  "/508": new ImageError(508, "a loop"),
  "/plain": new TypeError("fetch failed"),
  "/odd": Object.assign(new Error("odd"), { statusCode: 7 }),
};
export async function handler({ rawPath }) {
  const answer = (statusCode, body) => ({ statusCode, headers: { "cache-control": "public,max-age=60,immutable" }, cookies: [], body, isBase64Encoded: false });
  if (rawPath === "/fine") return answer(200, "picture");
  await new Promise(setImmediate); // requests of one time must not take each other's error
  console.error(rawPath === "/other" ? "something else" : "Failed to optimize image", thrown[rawPath] ?? new ImageError(400, "other"));
  return answer(500, "Internal server error");
}`

func newImageSite(t *testing.T, env map[string]string) *site {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "index.mjs"), []byte(imageBundle), 0o644); err != nil {
		t.Fatal(err)
	}
	return newSite(t, Spec{Dir: dir, Env: env})
}

func TestImage_ErrorKeepsStatus(t *testing.T) {
	t.Parallel()
	s := newImageSite(t, map[string]string{"BUCKET_NAME": "anchor-assets"})
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/413": {413, "too large"}, "/508": {508, "a loop"}, "/plain": {500, "Internal server error"}, "/odd": {500, "Internal server error"},
		"/other": {500, "Internal server error"}, "/fine": {200, "picture"},
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			if a := s.do(t, http.MethodGet, path, nil); a.StatusCode != want.status || a.body != want.body {
				t.Errorf("%d %q, want %d %q", a.StatusCode, a.body, want.status, want.body)
			}
		})
	}
}

func TestHandler_ErrorKeepsStatus(t *testing.T) {
	t.Parallel()
	s := newImageSite(t, nil)
	if a := s.do(t, http.MethodGet, "/413", nil); a.StatusCode != 500 || a.body != "Internal server error" {
		t.Errorf("%d %q", a.StatusCode, a.body)
	}
}
