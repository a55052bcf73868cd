// Command pack builds the AWS handlers for both of Lambda's architectures and packs them for
// Lambda: each is a zip with one executable named bootstrap. The same source produces the same
// bytes, so a stack changes only when its code did.
package main

import (
	"archive/zip"
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

func main() {
	source := flag.String("package", "./cmd/anchor-lambda", "the handlers' main `package`")
	out := flag.String("out", "internal/aws/install/handlers", "`folder` of the zips")
	flag.Parse()
	for _, arch := range []string{"arm64", "amd64"} {
		if err := packHandler(*source, *out, arch); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
	}
}

func packHandler(source, out, arch string) error {
	dir, err := os.MkdirTemp("", "anchor-handlers-")
	if err != nil {
		return fmt.Errorf("pack %s: %w", arch, err)
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "bootstrap")
	if err := buildBinary(source, binary, arch); err != nil {
		return err
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("pack %s: %w", arch, err)
	}
	packed, err := archiveBinary(content)
	if err != nil {
		return fmt.Errorf("pack %s: %w", arch, err)
	}
	name := filepath.Join(out, arch+".zip")
	if there, err := os.ReadFile(name); err == nil && bytes.Equal(there, packed) {
		return nil // an unchanged modification time avoids rebuilding what embeds the file
	}
	if err := os.WriteFile(name, packed, 0o644); err != nil {
		return fmt.Errorf("pack %s: %w", arch, err)
	}
	return nil
}

// buildBinary omits what would make builds of one source differ, and the RPC mode of the go1.x runtime,
// which provided.al2023 does not use (aws-lambda-go, README).
func buildBinary(source, binary, arch string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w -buildid=", "-o", binary, source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build %s for %s: %w", source, arch, err)
	}
	return nil
}

func archiveBinary(binary []byte) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	header.SetMode(0o755)
	w, err := z.CreateHeader(header)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(binary); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
