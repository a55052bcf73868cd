package asset_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/aws/asset"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// sink is an S3 that accepts everything and stores only counts; an emulator would hold the file
// in its memory, and be slow. With every part it measures this process's memory.
type sink struct {
	mu    sync.Mutex
	bytes int64
	most  uint64 // of live heap
}

func (s *sink) Do(r *http.Request) (*http.Response, error) {
	query := r.URL.Query()
	answer := "<ListBucketResult/>"
	switch {
	case query.Has("uploads"):
		answer = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
	case r.Method == http.MethodPost:
		answer = "<CompleteMultipartUploadResult/>"
	case r.Method == http.MethodPut:
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			return nil, err
		}
		s.note(n)
		answer = ""
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Etag": {`"e"`}}, Body: io.NopCloser(strings.NewReader(answer)), Request: r,
	}, nil
}

func (s *sink) note(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes += n
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	s.most = max(s.most, m.HeapAlloc)
}

func TestUpload_StreamsLargeFiles(t *testing.T) {
	const size, files = 192 << 20, 3
	dir := t.TempDir()
	a := deploy.Artifact{Dir: dir, Build: anchor.Build{Assets: "assets"}}
	must(t, os.MkdirAll(filepath.Join(dir, "assets"), 0o755))
	for i := range files {
		name := fmt.Sprintf("assets/film-%d.mp4", i)
		must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
		must(t, os.Truncate(filepath.Join(dir, name), size)) // a sparse file
		a.Manifest.Files = append(a.Manifest.Files, artifact.File{Path: name, Size: size, Digest: artifact.DigestOf([]byte(name))})
	}
	all := &sink{}
	s := asset.New(asset.Config{AssetsBucket: assetsBucket, S3: s3.New(s3.Options{
		Region: "eu-central-1", HTTPClient: all, Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
		BaseEndpoint: sdk.String("http://127.0.0.1"),
	})})
	must(t, s.Upload(t.Context(), a, t.Logf))
	if all.bytes < files*size {
		t.Errorf("%d bytes arrive, want %d", all.bytes, files*size)
	}
	if all.most > size {
		t.Errorf("up to %d MB were live at a time, more than one of the %d files of %d MB", all.most>>20, files, size>>20)
	}
	t.Logf("%d MB live", all.most>>20)
}
