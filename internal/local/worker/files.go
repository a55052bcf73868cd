package worker

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// FileHeader names, in the answers of ServeHTTP and Middleware, the static file that the app's
// routing has resolved the request to, as a percent-encoded URL path. The other headers of the
// answer are those that the app adds to the file.
const FileHeader = "X-Anchor-File"

// Files are static files that an app has beside its bundle.
type Files struct {
	BasePath string   `json:"basePath"`
	Locales  []string `json:"locales"` // a path below one of them names the same file
	Paths    []string `json:"paths"`   // URL paths, not percent-encoded, the base path included
}

// filesName is the file in which the bootstrap finds Files.
const filesName = "files.json"

func (f Files) writeTo(name string) error {
	text, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encode the names of the static files: %w", err)
	}
	return os.WriteFile(name, text, 0o600)
}

// newFileMark returns the prefix of a path in FileHeader as the bootstrap sends it. The bundle does
// not know it, so that neither the app nor a server whose answer it forwards can name a file.
func newFileMark() string { return newRequestID() }

// checkFile keeps FileHeader in h only where the bootstrap has set it.
func (p *Pool) checkFile(h http.Header) {
	values := h[FileHeader]
	delete(h, FileHeader)
	if len(values) != 1 {
		return
	}
	if path, marked := strings.CutPrefix(values[0], p.mark+" "); marked {
		h[FileHeader] = []string{path}
	}
}
