package build

import (
	"encoding/json"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// requiredFiles is what Next.js writes of its configuration (next/dist/build, requiredServerFilesManifest).
const requiredFiles = ".next/required-server-files.json"

// checkExport returns an error for an app that was exported as static files: `output: "export"` of the
// app takes precedence over the standalone server that OpenNext asks for, and OpenNext then fails with
// nothing but the name of a file that it misses.
func checkExport(dir string) error {
	var required struct {
		Config struct {
			Output string `json:"output"`
		} `json:"config"`
	}
	isRead := json.Unmarshal(readSmall(dir, requiredFiles), &required) == nil
	if !isRead || required.Config.Output != "export" {
		return nil
	}
	return anchor.Invalid("static_export", `the next.config of the app sets output: "export", for which there is no server`).
		Hintf("Remove output from next.config. Pages that need no server are prerendered all the same.")
}
