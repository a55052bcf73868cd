package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
	"github.com/anchor-deploy/anchor/internal/api/client"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/aws/artifacts"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
)

const bucket = "anchor-artifacts"

// storage is the API with an S3 behind it, and a proxy before that S3 that sees what
// clients send there.
type storage struct {
	client *client.Client
	api    string // its URL
	kept   *artifacts.Store

	mu      sync.Mutex
	puts    []*http.Request
	between func(w http.ResponseWriter, r *http.Request, nth int) bool // true: it has answered
	signs   int
	signed  func(uploads []artifact.Upload, nth int)
}

func newStorage(t *testing.T) *storage {
	t.Helper()
	s := &storage{}
	cloud := awstest.MiniStack(t)
	to, err := url.Parse(cloud.Endpoint)
	must(t, err)
	forward := httputil.NewSingleHostReverseProxy(to)
	forward.ErrorLog = log.New(io.Discard, "", 0) // of connections that a test breaks
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && strings.Contains(r.URL.RawQuery, "X-Amz-Signature") {
			s.mu.Lock()
			s.puts = append(s.puts, r.Clone(context.Background()))
			nth := len(s.puts)
			s.mu.Unlock()
			if s.between != nil && s.between(w, r, nth) {
				return
			}
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	config := cloud.Config()
	config.BaseEndpoint, config.HTTPClient = &proxy.URL, nil
	bucketClient := s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
	_, err = bucketClient.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: sdk.String(bucket),
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: awstest.Region}})
	must(t, awstest.Made(err))
	s.kept, err = artifacts.Open(artifacts.Config{S3: bucketClient, Bucket: bucket, Dir: t.TempDir()})
	must(t, err)
	t.Cleanup(func() { must(t, s.kept.Close()) })
	a := apitest.New(t, apitest.Options{Artifacts: s.kept, Uploads: s})
	s.api = apitest.Serve(t, a.Services(), api.Options{}, nil)
	s.client = client.New(s.api, apitest.AdminToken)
	s.client.Pause = time.Millisecond
	return s
}

// Presign implements api.Uploads.
func (s *storage) Presign(ctx context.Context, files []artifact.File) ([]artifact.Upload, error) {
	uploads, err := s.kept.Presign(ctx, files)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.signs++; s.signed != nil {
		s.signed(uploads, s.signs)
	}
	return uploads, err
}

func (s *storage) upload(t *testing.T, dir string, m artifact.Manifest) (client.Sent, anchor.DeploymentID, error) {
	t.Helper()
	started := startShop(t, s.client, m)
	if !started.Presigned {
		t.Fatal("the server does not say that contents go by presigned URLs")
	}
	sent, err := s.client.Upload(t.Context(), "shop", started.Deployment.ID,
		client.Upload{Dir: dir, Manifest: m, Missing: started.Missing, Presigned: started.Presigned})
	return sent, started.Deployment.ID, err
}

func TestUpload_SendsContentsToStorage(t *testing.T) {
	s := newStorage(t)
	dir, _ := tree(t, 600)
	must(t, os.WriteFile(filepath.Join(dir, "empty"), nil, 0o644))
	m, err := artifact.Scan(t.Context(), dir, nil)
	must(t, err)
	const together = 8
	met := make(chan struct{})
	s.between = func(_ http.ResponseWriter, _ *http.Request, nth int) bool {
		if nth == together {
			close(met)
		}
		select {
		case <-met:
		case <-time.After(30 * time.Second):
			t.Errorf("content %d waits in vain for %d to travel at a time", nth, together)
		}
		return false
	}
	sent, id, err := s.upload(t, dir, m)
	must(t, err)
	if sent.Files != int64(len(m.Contents())) || sent.Bytes != m.Size() || s.client.BytesSent() < m.Size() {
		t.Errorf("sent %+v of %d bytes", sent, m.Size())
	}
	if s.signs != 2 {
		t.Errorf("%d contents were signed in %d calls, want 2", len(m.Contents()), s.signs)
	}
	if _, err := s.client.Finish(t.Context(), "shop", id); err != nil {
		t.Error(err)
	}
	got, _, err := s.kept.Unpack(t.Context(), id)
	must(t, err)
	if again, err := artifact.Scan(t.Context(), got, nil); err != nil || again.Digest() != m.Digest() {
		t.Errorf("what arrived differs (%v)", err)
	}
	for _, r := range s.puts {
		for name, values := range r.Header {
			if strings.Contains(fmt.Sprint(values), apitest.AdminToken) || name == "Authorization" {
				t.Fatalf("the storage is told the token: %s: %v", name, values)
			}
		}
	}
}

func TestUpload_RefreshesRefusedURL(t *testing.T) {
	s := newStorage(t)
	dir, m := tree(t, 3)
	s.signed = func(uploads []artifact.Upload, nth int) {
		if nth > 1 {
			return
		}
		for i := range uploads { // signed an hour ago
			at, err := url.Parse(uploads[i].URL)
			if err != nil {
				t.Error(err)
				continue
			}
			q := at.Query()
			q.Set("X-Amz-Date", time.Now().UTC().Add(-time.Hour).Format("20060102T150405Z"))
			at.RawQuery = q.Encode()
			uploads[i].URL = at.String()
		}
	}
	sent, _, err := s.upload(t, dir, m)
	must(t, err)
	if sent.Files != int64(len(m.Contents())) || len(s.puts) != 2*len(m.Contents()) {
		t.Errorf("sent %+v with %d requests", sent, len(s.puts))
	}
}

func TestUpload_EndsWhenURLsStayRefused(t *testing.T) {
	s := newStorage(t)
	dir, m := tree(t, 1)
	s.between = func(w http.ResponseWriter, _ *http.Request, _ int) bool {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `<?xml version="1.0"?><Error><Code>RequestTimeTooSkewed</Code><Message>the clock</Message></Error>`)
		return true
	}
	_, _, err := s.upload(t, dir, m)
	if anchor.CodeOf(err) != "upload_refused" || anchor.HintOf(err) == "" || !strings.Contains(err.Error(), "RequestTimeTooSkewed") || strings.Contains(err.Error(), "X-Amz-Signature") {
		t.Errorf("Upload = %v", err)
	}
}

func TestUpload_StorageRefusesChangedFile(t *testing.T) {
	s := newStorage(t)
	dir, m := tree(t, 3)
	must(t, os.WriteFile(filepath.Join(dir, "f1"), []byte("FILE 1"), 0o644)) // of the same length
	_, id, err := s.upload(t, dir, m)
	if anchor.CodeOf(err) != "file_changed" || !strings.Contains(err.Error(), "f1") {
		t.Errorf("Upload = %v", err)
	}
	missing, err := s.client.Missing(t.Context(), "shop", id)
	must(t, err)
	if !contains(missing, artifact.DigestOf([]byte("file 1"))) {
		t.Error("the storage has taken it")
	}
}

func TestUpload_RetriesBrokenStorageConnection(t *testing.T) {
	s := newStorage(t)
	dir, m := tree(t, 200)
	var broken sync.Map // of *atomic.Int64, by path: no content is out of luck at every attempt
	s.between = func(w http.ResponseWriter, r *http.Request, nth int) bool {
		times, _ := broken.LoadOrStore(r.URL.Path, new(atomic.Int64))
		switch {
		case nth%5 != 0 && nth%7 != 0, times.(*atomic.Int64).Add(1) > 2:
		case nth%5 == 0:
			panic(http.ErrAbortHandler)
		case nth%7 == 0:
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `<Error><Code>SlowDown</Code></Error>`)
			return true
		}
		return false
	}
	sent, id, err := s.upload(t, dir, m)
	must(t, err)
	missing, err := s.client.Missing(t.Context(), "shop", id)
	must(t, err)
	if len(missing) != 0 || sent.Files != int64(len(m.Contents())) || sent.Bytes != m.Size() {
		t.Errorf("%d are missing, sent %+v", len(missing), sent)
	}
}

func TestUpload_NamesUnreachableStorage(t *testing.T) {
	s := newStorage(t)
	dir, m := tree(t, 1)
	s.between = func(http.ResponseWriter, *http.Request, int) bool { panic(http.ErrAbortHandler) }
	_, _, err := s.upload(t, dir, m)
	var gone *client.Unreachable
	if !errors.As(err, &gone) || gone.URL == s.api || strings.Contains(err.Error(), "Signature") {
		t.Errorf("Upload = %v", err)
	}
}

func TestUpload_WithoutPresigning(t *testing.T) {
	c := newClient(t, nil)
	_, m := tree(t, 1)
	started := startShop(t, c, m)
	if started.Presigned {
		t.Error("it says that contents go by presigned URLs")
	}
	if _, err := c.Presign(t.Context(), "shop", started.Deployment.ID, started.Missing); anchor.CodeOf(err) != "direct_uploads" || anchor.HintOf(err) == "" {
		t.Errorf("Presign = %v", err)
	}
}

func TestPresign_DeploymentFilesOnly(t *testing.T) {
	s := newStorage(t)
	_, m := tree(t, 1)
	started := startShop(t, s.client, m)
	for code, digests := range map[string][]artifact.Digest{
		"unknown_content": {artifact.DigestOf([]byte("another"))},
		"bad_field":       make([]artifact.Digest, 501),
	} {
		if _, err := s.client.Presign(t.Context(), "shop", started.Deployment.ID, digests); anchor.CodeOf(err) != code {
			t.Errorf("Presign = %v, want %s", err, code)
		}
	}
}

func contains(list []artifact.Digest, d artifact.Digest) bool {
	for _, other := range list {
		if other == d {
			return true
		}
	}
	return false
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
