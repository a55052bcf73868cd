package artifacts_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/aws/artifacts"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
)

const bucket = "anchor-artifacts"

type world struct {
	*awstest.Cloud
	s3 *s3.Client
}

func newWorld(t *testing.T, cloud *awstest.Cloud) *world {
	t.Helper()
	w := &world{Cloud: cloud, s3: s3.NewFromConfig(cloud.Config(), func(o *s3.Options) { o.UsePathStyle = true })}
	_, err := w.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: sdk.String(bucket),
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: awstest.Region}})
	must(t, awstest.Made(err))
	return w
}

// open returns a store as a new process opens it.
func (w *world) open(t *testing.T) *artifacts.Store { return w.openWith(t, artifacts.Config{}) }

func (w *world) openWith(t *testing.T, c artifacts.Config) *artifacts.Store {
	t.Helper()
	c.S3, c.Bucket, c.Dir = w.s3, bucket, t.TempDir()
	store, err := artifacts.Open(c)
	must(t, err)
	t.Cleanup(func() { must(t, store.Close()) })
	return store
}

func (w *world) count(calls []awstest.Call, operation string) (n int) {
	for _, c := range calls {
		if c.Operation == "S3."+operation {
			n++
		}
	}
	return n
}

// keys lists the bucket.
func (w *world) keys(t *testing.T) (keys []string) {
	t.Helper()
	out, err := w.s3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: sdk.String(bucket)})
	must(t, err)
	for _, o := range out.Contents {
		keys = append(keys, *o.Key)
	}
	return keys
}

// someTree returns the manifest and the contents of a small tree.
func someTree(t *testing.T) (artifact.Manifest, map[artifact.Digest]string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"open-next.output.json": "{}", "assets/a.js": "a", "assets/_next/static/b.js": "b", "assets/empty": "",
		"server-functions/default/index.mjs": "index", "server-functions/default/copy.mjs": "index",
		"server-functions/default/run.sh": "#!/bin/sh\n", "cache/x/index.cache": strings.Repeat("cache", 1000),
	} {
		must(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	must(t, os.Chmod(filepath.Join(dir, "server-functions/default/run.sh"), 0o755))
	must(t, os.Symlink("index.mjs", filepath.Join(dir, "server-functions/default/link.mjs")))
	m, err := artifact.Scan(t.Context(), dir, nil)
	must(t, err)
	files := map[artifact.Digest]string{}
	for _, f := range m.Files {
		if f.Link == "" {
			content, err := os.ReadFile(filepath.Join(dir, f.Path))
			must(t, err)
			files[f.Digest] = string(content)
		}
	}
	return m, files
}

// manyFiles returns 200 files of 2 bytes.
func manyFiles() (m artifact.Manifest, files map[artifact.Digest]string) {
	files = map[artifact.Digest]string{}
	for i := range 200 {
		content := []byte{byte(i), 1}
		f := artifact.File{Path: fmt.Sprintf("f/%03d", i), Size: 2, Digest: artifact.DigestOf(content)}
		m.Files, files[f.Digest] = append(m.Files, f), string(content)
	}
	return m, files
}

func upload(t *testing.T, store *artifacts.Store, id anchor.DeploymentID, m artifact.Manifest, files map[artifact.Digest]string) {
	t.Helper()
	must(t, store.SaveManifest(t.Context(), id, m))
	missing, err := store.Missing(t.Context(), id)
	must(t, err)
	for _, d := range missing {
		must(t, store.Put(t.Context(), d, int64(len(files[d])), strings.NewReader(files[d])))
	}
	must(t, store.Sync(t.Context(), id))
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func newID() anchor.DeploymentID { return anchor.DeploymentID(anchor.NewID()) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantCode also asserts that every error has a hint.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if anchor.CodeOf(err) != code {
		t.Fatalf("returns %v (code %q), want the code %q", err, anchor.CodeOf(err), code)
	}
	if anchor.HintOf(err) == "" {
		t.Errorf("%v does not say what to do", err)
	}
}
