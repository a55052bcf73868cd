package asset_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/anchor-deploy/anchor/internal/artifact/staticfile"
	"github.com/anchor-deploy/anchor/internal/aws/asset"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

func TestUpload_Layout(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	a := s.artifact(t, platformtest.NewApp("one"))
	s.upload(t, a)
	want := []string{
		s.shared(".anchor/" + string(a.Deployment.ID) + ".json"), s.shared("_next/static/chunks/one.js"),
		own(a, "public.txt"),
	}
	if got := s.keys(t, ""); !slices.Equal(got, want) {
		t.Errorf("the bucket holds %q, want %q", got, want)
	}
	if got := s.Path(a.Project.ID, a.Deployment.ID) + "public.txt"; got != "s3://"+assetsBucket+"/"+own(a, "public.txt") {
		t.Errorf("the path of the file is %s", got)
	}
	if got := s.read(t, own(a, "public.txt")); got != "public of one" {
		t.Errorf("the public file is %q", got)
	}
	if got := s.read(t, s.shared("_next/static/chunks/one.js")); got != "chunk of one" {
		t.Errorf("the hashed file is %q", got)
	}
	if !slices.Contains(s.notes, "2 static files, 2 of them new") {
		t.Errorf("the notes are %q", s.notes)
	}
}

func TestUpload_WarnsOfFilesWithRules(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	const next = "server-functions/default/.next/"
	app := platformtest.NewApp("one").With("assets/private/report.txt", "secret").
		With(next+"server/middleware-manifest.json", `{"middleware": {"/": {"matchers": [{"regexp": "^/private/.*$"}]}}}`).
		With(next+"routes-manifest.json", `{"headers": [{"source": "/public.txt", "regex": "^/public\\.txt$", "headers": [{"key": "x-a", "value": "1"}]}]}`)
	s.upload(t, s.artifact(t, app))
	want := "warning: static files are served past rules that Next.js runs first: the middleware, headers of next.config. " +
		"They are private/report.txt, public.txt. On aws, serve what needs a login from a route handler"
	if !slices.Contains(s.notes, want) {
		t.Errorf("the notes are %q", s.notes)
	}
	s.notes = nil
	s.upload(t, s.artifact(t, platformtest.NewApp("two")))
	for _, note := range s.notes {
		if strings.HasPrefix(note, "warning") {
			t.Errorf("an app without rules: %s", note)
		}
	}
}

func TestUpload_KeepsBasePath(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	const next = "server-functions/default/.next/required-server-files.json"
	a := s.artifact(t, platformtest.NewApp("one").With(next, `{"config": {"basePath": "/docs"}}`))
	s.upload(t, a)
	s.read(t, s.shared("docs/_next/static/chunks/one.js"))
	s.read(t, own(a, "docs/public.txt"))
	b := s.artifact(t, platformtest.NewApp("one").With(next, `{"config": {"basePath": "/docs"}}`))
	calls := s.cloud.Wire.Record()
	s.upload(t, b)
	if n := count(calls(), "S3.PutObject"); n != 1 {
		t.Errorf("the unchanged app makes %d PutObject, want that of the index", n)
	}
}

func TestUpload_HeadersAndNames(t *testing.T) {
	const forever, always = "public,max-age=31536000,immutable", "public,max-age=0,must-revalidate"
	names := map[string][2]string{
		"_next/static/chunks/app/[slug]/page-1a2b.js":         {"text/javascript; charset=utf-8", forever},
		"_next/static/chunks/app/(group)/@modal/page-1a2b.js": {"text/javascript; charset=utf-8", forever},
		"_next/static/css/1a2b.css":                           {"text/css; charset=utf-8", forever},
		"_next/static/media/logo.1a2b.png":                    {"image/png", forever},
		"robots.txt":                                          {"text/plain; charset=utf-8", always},
		"a b+c&d<e>'f\".html":                                 {"text/html; charset=utf-8", always},
		"größe/日本語 ✓.svg":                                     {"image/svg+xml", always},
		"100%25.json":                                         {"application/json", always},
		".well-known/apple-app-site-association":              {"application/json", always},
		"logo.svgz":                                           {"image/svg+xml", always},
		"font.woff2":                                          {"font/woff2", always},
	}
	for cloudName, cloud := range map[string]*awstest.Cloud{"ministack": awstest.MiniStack(t), "moto": awstest.Moto(t)} {
		t.Run(cloudName, func(t *testing.T) {
			s := newStand(t, cloud)
			app := platformtest.NewApp("one")
			for name := range names {
				app = app.With("assets/"+name, "content of "+name)
			}
			a := s.artifact(t, app)
			s.upload(t, a)
			for name, want := range names {
				key := own(a, name)
				if strings.HasPrefix(name, "_next/static/") {
					key = s.shared(name)
				}
				head, err := s.client().HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: sdk.String(assetsBucket), Key: &key})
				if err != nil {
					t.Errorf("%s: %v", key, err)
					continue
				}
				got := [2]string{sdk.ToString(head.ContentType), sdk.ToString(head.CacheControl)}
				if got != want || sdk.ToString(head.ContentEncoding) != staticfile.ContentEncoding(name) {
					t.Errorf("%s has %q and the encoding %q, want %q", key, got, sdk.ToString(head.ContentEncoding), want)
				}
				if got := s.read(t, key); got != "content of "+name {
					t.Errorf("%s holds %q", key, got)
				}
			}
			calls := cloud.Wire.Record()
			s.upload(t, a)
			if got := calls(); count(got, "S3.PutObject") != 1 || count(got, "S3.CopyObject") != 0 {
				t.Errorf("run again, it calls\n%s", tally(got))
			}
			must(t, s.Remove(t.Context(), s.project, a.Deployment.ID))
			if left := s.keys(t, ""); len(left) != 0 {
				t.Errorf("the removal leaves %q", left)
			}
		})
	}
}

func manyFiles(n int) platformtest.App {
	app := platformtest.NewApp("one")
	for i := range n {
		app[fmt.Sprintf("assets/_next/static/chunks/%04d.js", i)] = fmt.Sprint("chunk ", i)
	}
	return app
}

func TestUpload_RunsInParallel(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	a := s.artifact(t, manyFiles(1500))
	s.cloud.Wire.Slow(50 * time.Millisecond)
	calls := s.cloud.Wire.Record()
	s.upload(t, a)
	got := calls()
	if n, most := awstest.Serial(got), (1500+15)/16; n > most {
		t.Errorf("%d calls were one after another, more than %d", n, most)
	}
	if n := count(got, "S3.PutObject"); n != 1500+1+1 { // its own chunk and the index
		t.Errorf("%d files were put", n)
	}
	s.cloud.Wire.Mend()

	again := s.artifact(t, manyFiles(1500))
	calls = s.cloud.Wire.Record()
	s.upload(t, again)
	if got := calls(); count(got, "S3.PutObject") != 1 || count(got, "S3.ListObjectsV2") != 3 || count(got, "S3.HeadObject") != 0 {
		t.Errorf("the unchanged app makes the calls\n%s", tally(got))
	}
}

func TestUpload_SendsChangesOnly(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	app := platformtest.NewApp("one")
	s.upload(t, s.artifact(t, app))
	b := s.artifact(t, app.With("assets/_next/static/chunks/two.js", "chunk of two").With("assets/public.txt", "another"))
	calls := s.cloud.Wire.Record()
	s.upload(t, b)
	if got := calls(); count(got, "S3.PutObject") != 2 || count(got, "S3.CopyObject") != 1 {
		t.Errorf("the changed app makes the calls\n%s", tally(got))
	}
	if got := s.read(t, own(b, "public.txt")); got != "another" {
		t.Errorf("the changed public file is %q", got)
	}
}

func TestUpload_WithoutContentsInS3(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	a := s.unstored(t, platformtest.NewApp("one"))
	s.upload(t, a)
	if got := s.read(t, own(a, "public.txt")); got != "public of one" {
		t.Errorf("the public file is %q", got)
	}
}

func TestUpload_ImportedImagesAreOriginals(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	app := platformtest.NewApp("one").With("assets/_next/static/media/cat.1a.png", "cat").With("assets/_next/static/media/font.1a.woff2", "font")
	a := s.artifact(t, app)
	a.Build.Functions = append(a.Build.Functions, imageFunction)
	s.upload(t, a)
	if got := s.read(t, own(a, "_next/static/media/cat.1a.png")); got != "cat" {
		t.Errorf("the image function reads %q", got)
	}
	s.read(t, s.shared("_next/static/media/cat.1a.png"))
	if got := s.keys(t, own(a, "_next/")); len(got) != 1 {
		t.Errorf("the deployment's own hashed files are %q", got)
	}
	if got := s.ImageEnv(a)["BUCKET_KEY_PREFIX"] + "/_next/static/media/cat.1a.png"; got != own(a, "_next/static/media/cat.1a.png") {
		t.Errorf("the image function looks for %q", got)
	}
}

func TestUpload_WarnsOfFixedBuildID(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	const name = "_next/static/one/_buildManifest.js"
	app := platformtest.NewApp("one").With("assets/"+name, "manifest 1")
	s.upload(t, s.artifact(t, app))
	s.upload(t, s.artifact(t, app))
	if text := strings.Join(s.notes, "\n"); strings.Contains(text, "warning") {
		t.Errorf("the same content is told of: %s", text)
	}
	s.upload(t, s.artifact(t, app.With("assets/"+name, "manifest 2")))
	if text := strings.Join(s.notes, "\n"); !strings.Contains(text, "warning: 1 files") || !strings.Contains(text, name) {
		t.Errorf("the notes are %s", text)
	}
	if got := s.read(t, s.shared(name)); got != "manifest 1" {
		t.Errorf("the shared file became %q", got)
	}
}

func TestCheck_RefusesLongName(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	a := s.artifact(t, platformtest.NewApp("one"))
	for i, f := range a.Manifest.Files {
		if f.Path == "assets/public.txt" {
			a.Manifest.Files[i].Path = "assets/" + strings.Repeat("a/", 500)
		}
	}
	calls := s.cloud.Wire.Record()
	wantCode(t, s.Check(a), "name_too_long")
	wantCode(t, s.Upload(t.Context(), a, s.note), "name_too_long")
	if n := len(calls()); n != 0 {
		t.Errorf("%d calls were made", n)
	}
}

func TestUpload_Broken(t *testing.T) {
	app := platformtest.NewApp("one")
	cloud := awstest.MiniStack(t)
	for name, faults := range map[string][]awstest.Fault{
		"slow down": {{Operation: "S3.PutObject", Nth: 1, Status: http.StatusServiceUnavailable, Code: "SlowDown"},
			{Operation: "S3.PutObject", Nth: 2, Status: http.StatusServiceUnavailable, Code: "SlowDown"},
			{Operation: "S3.CopyObject", Nth: 1, Status: http.StatusServiceUnavailable, Code: "SlowDown"},
			{Operation: "S3.ListObjectsV2", Nth: 1, Status: http.StatusServiceUnavailable, Code: "SlowDown"}},
		"slow down for long": {{Operation: "S3.PutObject", Nth: 1, Status: http.StatusServiceUnavailable, Code: "SlowDown"},
			{Operation: "S3.PutObject", Nth: 2, Status: http.StatusServiceUnavailable, Code: "SlowDown"},
			{Operation: "S3.PutObject", Nth: 3, Status: http.StatusServiceUnavailable, Code: "SlowDown"},
			{Operation: "S3.PutObject", Nth: 4, Status: http.StatusInternalServerError, Code: "InternalError"},
			{Operation: "S3.PutObject", Nth: 5, Status: http.StatusServiceUnavailable, Code: "SlowDown"}},
		"conflict":     {{Operation: "S3.PutObject", Nth: 2, Status: http.StatusConflict, Code: "ConditionalRequestConflict"}},
		"lost answers": {{Operation: "S3.PutObject", Nth: 1, After: true}, {Operation: "S3.PutObject", Nth: 3, After: true}, {Operation: "S3.CopyObject", Nth: 1, After: true}},
		"cut":          {{Operation: "S3.PutObject", Nth: 2}, {Operation: "S3.CopyObject", Nth: 2}},
		"old list":     nil,
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, cloud)
			defer cloud.Wire.Mend()
			if name == "old list" { // another process puts it after the list
				s.cloud.Wire.Break(awstest.Fault{Operation: "S3.PutObject", Nth: 2, Do: func() {
					s.write(t, assetsBucket, s.shared("_next/static/chunks/one.js"), "chunk of one")
				}})
			}
			s.cloud.Wire.Break(faults...)
			a := s.artifact(t, app)
			s.upload(t, a)
			if got := s.read(t, s.shared("_next/static/chunks/one.js")); got != "chunk of one" {
				t.Errorf("the hashed file is %q", got)
			}
			if got := s.read(t, own(a, "public.txt")); got != "public of one" {
				t.Errorf("the public file is %q", got)
			}
		})
	}
}

func TestUpload_ConvergesAfterFailure(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	a := s.artifact(t, manyFiles(200))
	s.cloud.Wire.Break(awstest.Fault{Operation: "S3.PutObject", Nth: 150, Status: http.StatusForbidden, Code: "AccessDenied", Message: "role/deploy may not"})
	err := s.Upload(t.Context(), a, s.note)
	wantCode(t, err, "access_denied")
	wantHint(t, err, "s3:PutObject on s3://anchor-assets/")
	s.cloud.Wire.Mend()
	calls := s.cloud.Wire.Record()
	s.upload(t, a)
	if n := count(calls(), "S3.PutObject"); n > 202-150+2*asset.Parallel {
		t.Errorf("%d files are put again", n)
	}
	if n := len(s.keys(t, s.shared("_next/"))); n != 201 {
		t.Errorf("%d hashed files are there", n)
	}
}

// TestUpload_TwoDeploymentsShareFile lets another deployment put the same files after this one has
// looked for them.
func TestUpload_TwoDeploymentsShareFile(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	app := manyFiles(60)
	a, b := s.artifact(t, app), s.artifact(t, app)
	other := s.over(http.DefaultClient)
	s.cloud.Wire.Break(awstest.Fault{Operation: "S3.PutObject", Nth: 2, Do: func() {
		if err := other.Upload(t.Context(), b, t.Logf); err != nil {
			t.Error(err)
		}
	}})
	s.upload(t, a)
	if n := len(s.keys(t, s.shared("_next/"))); n != 61 {
		t.Errorf("%d hashed files are there", n)
	}
	for _, d := range []deploy.Artifact{a, b} {
		if got := s.read(t, own(d, "public.txt")); got != "public of one" {
			t.Errorf("the public file is %q", got)
		}
	}
	if told := strings.Join(s.notes, "\n"); strings.Contains(told, "warning") || strings.Contains(told, "63 static files, 63 of") {
		t.Errorf("the notes are %s", told)
	}
}
