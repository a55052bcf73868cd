package artifacts_test

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/aws/artifacts"
)

// FuzzReadArchive asserts that every archive is either refused with a code and a hint, or lists
// files that pass the check and can be laid out, and that nothing is written outside the store's
// own folder.
func FuzzReadArchive(f *testing.F) {
	t := &testing.T{}
	file := func(name, content string) entry {
		return entry{tar.Header{Name: name, Size: int64(len(content))}, content}
	}
	f.Add(tarOf(t, file("open-next.output.json", "{}"), file("a/b", "b")))
	f.Add(tarOf(t, file("./.open-next/a", "a"), entry{tar.Header{Typeflag: tar.TypeLink, Name: "b", Linkname: "a"}, ""}))
	f.Add(tarOf(t, entry{tar.Header{Typeflag: tar.TypeSymlink, Name: "a", Linkname: ".."}, ""}))
	f.Add(tarOf(t, file("../a", "a"), entry{tar.Header{Typeflag: tar.TypeChar, Name: "b"}, ""}))
	f.Add([]byte("no tar"))
	outer := f.TempDir()
	limits := artifact.Limits{Files: 100, FileSize: 1 << 16, Total: 1 << 18}
	store, err := artifacts.Open(artifacts.Config{S3: s3.New(s3.Options{}), Bucket: "none", Dir: filepath.Join(outer, "store"), Limits: limits})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { store.Close() })
	f.Fuzz(func(t *testing.T, tarred []byte) {
		files, err := artifacts.ReadArchive(store, t.Context(), bytes.NewReader(zip(t, tarred)))
		if err != nil {
			if anchor.CodeOf(err) == "" || anchor.HintOf(err) == "" {
				t.Errorf("refused with %v, which does not say what to do", err)
			}
		} else if m := (artifact.Manifest{Files: files}); m.Check(limits) == nil {
			for digest, size := range m.Contents() {
				content, err := store.Scratch().Content(digest, size)
				if err != nil {
					t.Fatalf("a content that is listed is not there: %v", err)
				}
				content.Close()
			}
		}
		if entries, err := os.ReadDir(outer); err != nil || len(entries) != 1 {
			t.Errorf("beside the store there is something: %v, %v", entries, err)
		}
	})
}
