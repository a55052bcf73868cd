package asset_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

func (s *stand) deleteKey(t *testing.T, key string) error {
	_, err := s.client().DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: sdk.String(assetsBucket), Key: &key})
	return err
}

// deployed returns a deployment of the app with all its files, cache and tags.
func (s *stand) deployed(t *testing.T, app platformtest.App) deploy.Artifact {
	t.Helper()
	a := s.unstored(t, app)
	s.upload(t, a)
	s.seed(t, a)
	return a
}

func (s *stand) tables(t *testing.T) []string {
	t.Helper()
	out, err := s.tags().ListTables(t.Context(), nil)
	must(t, err)
	return out.TableNames
}

func TestRemove_KeepsFilesInUse(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	app := tagged(2)
	a := s.deployed(t, app.With("assets/_next/static/chunks/old.js", "old"))
	b := s.deployed(t, app.With("assets/_next/static/chunks/new.js", "new"))
	stranger := *s
	stranger.project = anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "other"}
	c := stranger.deployed(t, app)

	must(t, s.Remove(t.Context(), s.project, a.Deployment.ID))
	if got, want := s.keys(t, s.shared("_next/")), []string{s.shared("_next/static/chunks/new.js"), s.shared("_next/static/chunks/one.js")}; !slices.Equal(got, want) {
		t.Errorf("the shared files are %q, want %q", got, want)
	}
	for _, prefix := range []string{own(a, ""), cached(a, ""), s.shared(".anchor/" + string(a.Deployment.ID))} {
		if left := s.keys(t, prefix); len(left) != 0 {
			t.Errorf("%q are left", left)
		}
	}
	if got, want := s.tables(t), []string{table(b), table(c)}; !slices.Equal(got, want) {
		t.Errorf("the tables are %q, want %q", got, want)
	}
	must(t, s.Remove(t.Context(), s.project, a.Deployment.ID)) // again
	must(t, s.Remove(t.Context(), s.project, b.Deployment.ID))
	for _, key := range s.keys(t, "") {
		if !slices.Contains(stranger.keys(t, stranger.shared("")), key) && !slices.Contains(s.keys(t, own(c, "")), key) && !slices.Contains(s.keys(t, cached(c, "")), key) {
			t.Errorf("%s is left", key)
		}
	}
	if got := s.tables(t); !slices.Equal(got, []string{table(c)}) {
		t.Errorf("the tables are %q", got)
	}
}

func TestRemove_ManyPages(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	a := s.unstored(t, manyFiles(10))
	s.upload(t, a)
	var group errgroup.Group
	group.SetLimit(16)
	for i := range 2100 {
		group.Go(func() error {
			s.write(t, assetsBucket, cached(a, fmt.Sprintf("one/%04d.cache", i)), "x")
			return nil
		})
	}
	must(t, group.Wait())
	calls := s.cloud.Wire.Record()
	must(t, s.Remove(t.Context(), s.project, a.Deployment.ID))
	if got := calls(); count(got, "S3.DeleteObjects") != 3+1+1+1 || count(got, "S3.DeleteObject") != 0 {
		t.Errorf("it calls\n%s", tally(got))
	}
	if left := s.keys(t, ""); len(left) != 0 {
		t.Errorf("%d keys are left", len(left))
	}
}

func TestRemove_ConvergesAfterAnyInterruption(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	kept := s.deployed(t, tagged(1))
	for _, operation := range []string{"S3.ListObjectsV2", "S3.GetObject", "S3.DeleteObjects", "DynamoDB.DeleteTable"} {
		for nth := 1; nth <= 4; nth++ {
			for _, after := range []bool{false, true} {
				a := s.deployed(t, tagged(1).With("assets/_next/static/chunks/mine.js", "mine"))
				ctx, kill := context.WithCancel(t.Context())
				s.cloud.Wire.Break(awstest.Fault{Operation: operation, Nth: nth, After: after, Do: kill, Hang: true})
				err := s.Remove(ctx, s.project, a.Deployment.ID)
				if ended := ctx.Err() != nil; ended == (err == nil) {
					t.Errorf("ended at %s %d it answers %v", operation, nth, err)
				}
				kill()
				s.cloud.Wire.Mend()
				must(t, s.Remove(t.Context(), s.project, a.Deployment.ID))
				if got := s.keys(t, s.shared("_next/")); !slices.Equal(got, []string{s.shared("_next/static/chunks/one.js")}) {
					t.Errorf("ended at %s %d and run again, the shared files are %q", operation, nth, got)
				}
				if got := s.tables(t); !slices.Equal(got, []string{table(kept)}) {
					t.Errorf("ended at %s %d and run again, the tables are %q", operation, nth, got)
				}
			}
		}
	}
	s.read(t, own(kept, "public.txt"))
	s.read(t, cached(kept, "one/index.cache"))
}

func TestRemove_KeepsConcurrentUpload(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	a := s.deployed(t, platformtest.NewApp("one"))
	b := s.unstored(t, platformtest.NewApp("two").With("assets/_next/static/chunks/one.js", "chunk of one"))
	other := s.over(http.DefaultClient)
	// Between listing the shared files and reading the indexes.
	indexes := "prefix=" + url.QueryEscape(s.shared(".anchor/"))
	s.cloud.Wire.Break(awstest.Fault{Operation: "S3.ListObjectsV2", Path: indexes, Nth: 1, Do: func() {
		if err := other.Upload(t.Context(), b, t.Logf); err != nil {
			t.Error(err)
		}
	}})
	must(t, s.Remove(t.Context(), s.project, a.Deployment.ID))
	s.cloud.Wire.Mend()
	if got := s.keys(t, s.shared("_next/")); !slices.Equal(got, []string{s.shared("_next/static/chunks/one.js"), s.shared("_next/static/chunks/two.js")}) {
		t.Errorf("the shared files are %q", got)
	}
}

func TestRemove_KeepsFilesOfUnfinishedUpload(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	a := s.deployed(t, platformtest.NewApp("one"))
	b := s.unstored(t, platformtest.NewApp("one"))
	ctx, kill := context.WithCancel(t.Context())
	s.cloud.Wire.Break(awstest.Fault{Operation: "S3.CopyObject", Nth: 1, Do: kill, Hang: true})
	if err := s.Upload(ctx, b, s.note); err == nil {
		t.Error("the upload was not ended half-way")
	}
	s.cloud.Wire.Mend()
	must(t, s.Remove(t.Context(), s.project, a.Deployment.ID))
	s.read(t, s.shared("_next/static/chunks/one.js"))
	s.upload(t, b)
	s.read(t, own(b, "public.txt"))
}

func TestRemove_BrokenIndexDeletesNothing(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	a := s.deployed(t, platformtest.NewApp("one"))
	b := s.deployed(t, platformtest.NewApp("one"))
	s.write(t, assetsBucket, s.shared(".anchor/"+string(b.Deployment.ID)+".json"), "{")
	wantCode(t, s.Remove(t.Context(), s.project, a.Deployment.ID), "bad_index")
	s.read(t, s.shared("_next/static/chunks/one.js"))
}

func TestRemove_ReportsRemainder(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	a := s.deployed(t, platformtest.NewApp("one"))
	s.cloud.Wire.Break(awstest.Fault{Operation: "S3.DeleteObjects", Nth: 1, Status: http.StatusForbidden, Code: "AccessDenied"})
	err := s.Remove(t.Context(), s.project, a.Deployment.ID)
	wantCode(t, err, "access_denied")
	wantHint(t, err, "s3:DeleteObject on")
}

// refusing is an S3 that cannot delete one of the objects of a batch and still answers 200 (API
// DeleteObjects). No emulator does that.
type refusing struct{ next sdk.HTTPClient }

func (c refusing) Do(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPost || !r.URL.Query().Has("delete") {
		return c.next.Do(r)
	}
	const answer = `<DeleteResult><Error><Key>k</Key><Code>InternalError</Code><Message>try again</Message></Error></DeleteResult>`
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
}

func TestRemove_SomeObjectsFail(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	a := s.deployed(t, platformtest.NewApp("one"))
	wantCode(t, s.over(refusing{s.cloud.Wire}).Remove(t.Context(), s.project, a.Deployment.ID), "objects_not_deleted")
	must(t, s.Remove(t.Context(), s.project, a.Deployment.ID))
	if left := s.keys(t, ""); len(left) != 0 {
		t.Errorf("%q are left", left)
	}
}

func TestRemove_TableInUse(t *testing.T) {
	cloud := awstest.MiniStack(t)
	for name, after := range map[string]bool{"being made": false, "being deleted": true} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, cloud)
			defer cloud.Wire.Mend()
			a := s.deployed(t, tagged(1))
			s.cloud.Wire.Break(awstest.Fault{Operation: "DynamoDB.DeleteTable", Nth: 1, After: after, Status: http.StatusBadRequest, Code: "ResourceInUseException"})
			must(t, s.Remove(t.Context(), s.project, a.Deployment.ID))
			if left := s.tables(t); len(left) != 0 {
				t.Errorf("the tables are %q", left)
			}
		})
	}
}

func TestRemoveProject(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	stranger := *s
	stranger.project = anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "other"}
	c := stranger.deployed(t, tagged(1))
	before := s.keys(t, "")
	for range 3 {
		s.deployed(t, tagged(2))
	}
	s.seed(t, s.unstored(t, tagged(1))) // its upload was undone
	must(t, s.RemoveProject(t.Context(), s.project))
	if got := s.keys(t, ""); !slices.Equal(got, before) {
		t.Errorf("the bucket holds %q, want %q", got, before)
	}
	if got := s.tables(t); !slices.Equal(got, []string{table(c)}) {
		t.Errorf("the tables are %q", got)
	}
	must(t, s.RemoveProject(t.Context(), s.project))
}
