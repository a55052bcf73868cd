// Command generate writes the reference of the command line and of the HTTP API
// from the code that serves them: cli.md, api.md, openapi.json and anchor.schema.json.
//
// It is run in the repository's root: go run ./docs/generate
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/anchor-deploy/anchor/internal/artifact/build"
)

func main() {
	dir := flag.String("dir", "docs", "folder to write to")
	flag.Parse()
	if err := write(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// write puts every page into dir.
func write(dir string) error {
	all, err := pages()
	if err != nil {
		return err
	}
	for name, content := range all {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return fmt.Errorf("write a page: %w", err)
		}
	}
	return nil
}

// pages returns the generated files by name. They depend on the code only, not on the
// machine, the time or the version of the binary.
func pages() (map[string][]byte, error) {
	document, err := openAPI()
	if err != nil {
		return nil, err
	}
	api, err := apiPage(document)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"cli.md": cliPage(), "api.md": api, "openapi.json": document, "anchor.schema.json": build.SettingsSchema}, nil
}

const generated = "<!-- Written by docs/generate. Do not edit: change the code and run `make docs`. -->\n\n"
