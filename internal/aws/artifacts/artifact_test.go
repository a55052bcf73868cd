package artifacts_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/aws/artifacts"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

var _ deploy.Bundles = (*artifacts.Store)(nil)

func TestUnpack_InAnotherProcess(t *testing.T) {
	for name, cloud := range map[string]func(testing.TB) *awstest.Cloud{"ministack": awstest.MiniStack, "moto": awstest.Moto} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, cloud(t))
			m, files := someTree(t)
			id := newID()
			upload(t, w.open(t), id, m, files)

			dir, unpacked, err := w.open(t).Unpack(t.Context(), id)
			must(t, err)
			if diff := cmp.Diff(m, unpacked); diff != "" {
				t.Error(diff)
			}
			again, err := artifact.Scan(t.Context(), dir, nil)
			must(t, err)
			if diff := cmp.Diff(m, again); diff != "" {
				t.Errorf("the tree differs from what was uploaded: %s", diff)
			}
		})
	}
}

func TestSaveManifest_OncePerDeployment(t *testing.T) {
	w := newWorld(t, awstest.Shared(t))
	store, id := w.open(t), newID()
	m, _ := someTree(t)
	_, err := store.Manifest(t.Context(), id)
	wantCode(t, err, "no_manifest")
	// The write took effect but its answer was lost: the SDK retries and finds its own write.
	w.Wire.Break(awstest.Fault{Operation: "S3.PutObject", Nth: 1, After: true})
	must(t, store.SaveManifest(t.Context(), id, m))
	must(t, w.open(t).SaveManifest(t.Context(), id, m))
	other := artifact.Manifest{Files: m.Files[1:]}
	wantCode(t, store.SaveManifest(t.Context(), id, other), "manifest_exists")
	if got, err := store.Manifest(t.Context(), id); err != nil || got.Digest() != m.Digest() {
		t.Errorf("after a conflict the manifest is %s, %v", got.Digest(), err)
	}
	w.Wire.Break(awstest.Fault{Operation: "S3.PutObject", Nth: 1, Status: 409, Code: "ConditionalRequestConflict"})
	must(t, store.SaveManifest(t.Context(), newID(), m))
	wantCode(t, store.SaveManifest(t.Context(), newID(), artifact.Manifest{}), "no_files")
	wantCode(t, store.SaveManifest(t.Context(), "../x", m), "bad_deployment_id")
}

func TestPut_RefusesOtherContent(t *testing.T) {
	w := newWorld(t, awstest.Shared(t))
	store := w.open(t)
	hello := artifact.DigestOf([]byte("hello"))
	put := func(size int64, content io.Reader) error { return store.Put(t.Context(), hello, size, content) }
	wantCode(t, put(5, strings.NewReader("jello")), "wrong_digest")
	wantCode(t, put(5, strings.NewReader("hell")), "wrong_size")
	wantCode(t, put(5, strings.NewReader("hello!")), "wrong_size")
	wantCode(t, put(5, io.MultiReader(strings.NewReader("he"), broken{})), "upload_broken")
	wantCode(t, put(2<<30, strings.NewReader("")), "file_too_large")
	wantCode(t, store.Put(t.Context(), "x", 0, strings.NewReader("")), "bad_digest")
	if keys := w.keys(t); len(keys) != 0 {
		t.Errorf("left behind: %v", keys)
	}
	must(t, put(5, strings.NewReader("hello")))
	must(t, store.Put(t.Context(), artifact.DigestOf(nil), 0, strings.NewReader("")))
	if keys := w.keys(t); len(keys) != 2 {
		t.Errorf("there are %v", keys)
	}
	calls := w.Wire.Record()
	must(t, put(5, broken{})) // the content exists: nothing is read
	if n := w.count(calls(), "PutObject"); n != 0 {
		t.Errorf("a content that is there is sent %d times", n)
	}
}

func TestMissing_RunsInParallel(t *testing.T) {
	w := newWorld(t, awstest.Shared(t))
	store, id := w.open(t), newID()
	m, _ := manyFiles()
	must(t, store.SaveManifest(t.Context(), id, m))
	must(t, store.Put(t.Context(), m.Files[7].Digest, 2, bytes.NewReader([]byte{7, 1})))
	const together = 32
	var asked atomic.Int64
	met := make(chan struct{})
	w.Wire.Break(awstest.Fault{Operation: "S3.HeadObject", Do: func() {
		if asked.Add(1) == together {
			close(met)
		}
		select {
		case <-met:
		case <-time.After(30 * time.Second):
			t.Errorf("a call waits in vain for %d to be under way at a time", together)
		}
	}})
	missing, err := store.Missing(t.Context(), id)
	must(t, err)
	w.Wire.Mend()
	if len(missing) != 199 || missing[7] != m.Files[8].Digest || asked.Load() < 200 {
		t.Errorf("%d are missing, %d were asked for", len(missing), asked.Load())
	}
	wantCode(t, store.Sync(t.Context(), id), "content_missing")
}

func TestUnpack_ContinuesAfterInterruption(t *testing.T) {
	w := newWorld(t, awstest.Shared(t))
	m, files := manyFiles()
	id := newID()
	upload(t, w.open(t), id, m, files)
	store := w.open(t)

	// Of 150 calls that have begun, all but the last 64 have ended.
	w.Wire.Break(awstest.Fault{Operation: "S3.GetObject", Nth: 150, Status: 403, Code: "AccessDenied"})
	_, _, err := store.Unpack(t.Context(), id)
	wantCode(t, err, "access_denied")
	if hint := anchor.HintOf(err); !strings.Contains(hint, "s3:GetObject") {
		t.Errorf("the hint does not name the permission: %s", hint)
	}
	w.Wire.Mend()
	calls := w.Wire.Record()
	_, _, err = store.Unpack(t.Context(), id)
	must(t, err)
	if n := w.count(calls(), "GetObject") - 1; n < 1 || n > 200-84 { // one reads the manifest
		t.Errorf("the second try downloaded %d of 200 contents", n)
	}
	calls = w.Wire.Record()
	_, _, err = store.Unpack(t.Context(), id)
	must(t, err)
	if n := len(calls()); n != 1 {
		t.Errorf("a complete tree costs %d calls, want 1", n)
	}
}

func TestUnpack_NoticesDamage(t *testing.T) {
	w := newWorld(t, awstest.Shared(t))
	m, files := someTree(t)
	id := newID()
	upload(t, w.open(t), id, m, files)
	for key, code := range map[string]string{"damaged": "artifact_damaged", "gone": "content_missing"} {
		object := sdk.String("files/" + string(m.Files[0].Digest))
		if key == "damaged" {
			_, err := w.s3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: sdk.String(bucket), Key: object, Body: strings.NewReader(strings.Repeat("x", int(m.Files[0].Size)))})
			must(t, err)
		} else {
			_, err := w.s3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: sdk.String(bucket), Key: object})
			must(t, err)
		}
		_, _, err := w.open(t).Unpack(t.Context(), id)
		wantCode(t, err, code)
	}
}

func TestErrors_NameAction(t *testing.T) {
	w := newWorld(t, awstest.Shared(t))
	m, _ := someTree(t)
	for code, fault := range map[string]awstest.Fault{
		"access_denied": {Status: 403, Code: "AccessDenied"},
		"no_bucket":     {Status: 404, Code: "NoSuchBucket"},
		"s3_busy":       {Status: 503, Code: "SlowDown"},
		"s3":            {Status: 500, Code: "InternalError"},
	} {
		fault.Operation = "S3.PutObject"
		w.Wire.Break(fault)
		wantCode(t, w.open(t).SaveManifest(t.Context(), newID(), m), code)
		w.Wire.Mend()
	}
	ctx, cancel := context.WithCancel(t.Context())
	w.Wire.Break(awstest.Fault{Operation: "S3.PutObject", Hang: true, Do: cancel})
	if err := w.open(t).SaveManifest(ctx, newID(), m); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that left is told %v", err)
	}
}

func TestPresign_AcceptsOnlyItsContent(t *testing.T) {
	w := newWorld(t, awstest.Shared(t))
	uploads, err := w.open(t).Presign(t.Context(), []artifact.File{{Size: 5, Digest: artifact.DigestOf([]byte("hello"))}})
	must(t, err)
	send := func(content string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, uploads[0].URL, strings.NewReader(content))
		must(t, err)
		for name, value := range uploads[0].Header {
			r.Header.Set(name, value)
		}
		res, err := http.DefaultClient.Do(r)
		must(t, err)
		res.Body.Close()
		return res.StatusCode
	}
	if status := send("jello"); status != http.StatusBadRequest {
		t.Errorf("another content is answered %d", status)
	}
	if status := send("hello!"); status != http.StatusForbidden {
		t.Errorf("another length is answered %d", status)
	}
	if status := send("hello"); status != http.StatusOK {
		t.Errorf("the content is answered %d", status)
	}
	uploads[0].Header["X-Amz-Checksum-Sha256"] = ""
	if status := send("jello"); status != http.StatusForbidden {
		t.Errorf("a content whose checksum is left out is answered %d", status)
	}
	if !strings.Contains(uploads[0].URL, "X-Amz-Expires=900&") {
		t.Errorf("the upload is %+v", uploads[0])
	}
}

func TestSync_AsksOnce(t *testing.T) {
	w := newWorld(t, awstest.Shared(t))
	store, id := w.open(t), newID()
	m, files := someTree(t)
	must(t, store.SaveManifest(t.Context(), id, m))
	for d, content := range files {
		must(t, store.Put(t.Context(), d, int64(len(content)), strings.NewReader(content)))
	}
	calls := w.Wire.Record()
	if missing, err := store.Missing(t.Context(), id); err != nil || len(missing) != 0 {
		t.Fatalf("missing %v, %v", missing, err)
	}
	must(t, store.Sync(t.Context(), id))
	if n := w.count(calls(), "HeadObject"); n != len(files) {
		t.Errorf("%d contents were asked for %d times", len(files), n)
	}
	must(t, store.Sync(t.Context(), id))
	if n := w.count(calls(), "HeadObject"); n != 2*len(files) {
		t.Errorf("a Sync of its own makes %d calls, want %d", n-len(files), len(files))
	}
}

func TestCollect_KeepsNamedContents(t *testing.T) {
	w := newWorld(t, awstest.Shared(t))
	store, first, second := w.open(t), newID(), newID()
	m, files := someTree(t)
	upload(t, store, first, m, files)
	many, contents := manyFiles()
	upload(t, store, second, many, contents)
	must(t, store.Put(t.Context(), artifact.DigestOf([]byte("stray")), 5, strings.NewReader("stray")))

	collect := func(want int64, unused time.Duration) {
		t.Helper()
		if freed, err := store.Collect(t.Context(), unused); err != nil || freed != want {
			t.Errorf("freed %d bytes, want %d (%v)", freed, want, err)
		}
	}
	collect(0, time.Hour)
	collect(5, -time.Second) // LastModified is in seconds
	must(t, store.Remove(t.Context(), second))

	w.Wire.Break(awstest.Fault{Operation: "S3.GetObject", Status: 403, Code: "AccessDenied"})
	if _, err := store.Collect(t.Context(), -time.Second); err == nil {
		t.Error("it collects though it cannot read what is named")
	}
	w.Wire.Mend()
	// A deployment that begins while contents are collected keeps its own.
	third := newID()
	w.Wire.Break(awstest.Fault{Operation: "S3.ListObjectsV2", Nth: 3, Do: func() {
		must(t, w.open(t).SaveManifest(t.Context(), third, artifact.Manifest{Files: many.Files[:50]}))
	}})
	collect(2*150, -time.Second)
	if missing, err := store.Missing(t.Context(), third); err != nil || len(missing) != 0 {
		t.Errorf("%d of its contents are gone, %v", len(missing), err)
	}
	if ids, err := store.IDs(t.Context()); err != nil || len(ids) != 2 {
		t.Errorf("there are the manifests %v, %v", ids, err)
	}
}

func TestStore_RemoveAndDiscard(t *testing.T) {
	w := newWorld(t, awstest.Shared(t))
	m, files := someTree(t)
	id := newID()
	store := w.open(t)
	upload(t, store, id, m, files)
	dir, _, err := store.Unpack(t.Context(), id)
	must(t, err)
	must(t, store.Remove(t.Context(), id))
	must(t, store.Remove(t.Context(), id))
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the tree is there still: %v", err)
	}
	_, err = store.Manifest(t.Context(), id)
	wantCode(t, err, "no_manifest")
}
