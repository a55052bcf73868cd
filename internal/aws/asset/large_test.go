package asset_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

const largeName = "_next/static/chunks/film-1a2b.mp4"

func large(size int) platformtest.App {
	line := strings.Repeat("large ", 10) + "\n"
	return platformtest.NewApp("one").With("assets/"+largeName, strings.Repeat(line, size/len(line)))
}

func TestUpload_LargeFile(t *testing.T) {
	cloud := awstest.MiniStack(t)
	for name, faults := range map[string][]awstest.Fault{
		"whole":       nil,
		"cut":         {{Operation: "S3.UploadPart", Nth: 2}, {Operation: "S3.UploadPart", Nth: 4}},
		"slow down":   {{Operation: "S3.UploadPart", Nth: 1, Status: http.StatusServiceUnavailable, Code: "SlowDown"}},
		"lost part":   {{Operation: "S3.UploadPart", Nth: 3, After: true}},
		"lost begin":  {{Operation: "S3.CreateMultipartUpload", Nth: 1, After: true}},
		"lost end":    {{Operation: "S3.CompleteMultipartUpload", Nth: 1, After: true}},
		"end unknown": {{Operation: "S3.CompleteMultipartUpload", Nth: 1, After: true, Status: http.StatusNotFound, Code: "NoSuchUpload"}},
		"conflict":    {{Operation: "S3.CompleteMultipartUpload", Nth: 1, Status: http.StatusConflict, Code: "ConditionalRequestConflict"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, cloud)
			defer cloud.Wire.Mend()
			app := large(17 << 20)
			a := s.unstored(t, app)
			s.cloud.Wire.Break(faults...)
			calls := s.cloud.Wire.Record()
			s.upload(t, a)
			if got := s.read(t, s.shared(largeName)); got != app["assets/"+largeName] {
				t.Errorf("it arrives with %d bytes", len(got))
			}
			if n := count(calls(), "S3.UploadPart"); n < 3 {
				t.Errorf("it goes in %d parts", n)
			}
		})
	}
}

func TestUpload_FailedLargeFileLeavesNothing(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	a := s.unstored(t, large(20<<20))
	s.cloud.Wire.Break(awstest.Fault{Operation: "S3.UploadPart", Nth: 2, Status: http.StatusForbidden, Code: "AccessDenied"})
	calls := s.cloud.Wire.Record()
	wantCode(t, s.Upload(t.Context(), a, s.note), "access_denied")
	if n := count(calls(), "S3.AbortMultipartUpload"); n != 1 {
		t.Errorf("the parts are given up %d times", n)
	}
	s.cloud.Wire.Mend()
	s.upload(t, a)
	s.read(t, s.shared(largeName))
}

func TestUpload_LargeFileExists(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	app := large(9 << 20)
	a := s.unstored(t, app)
	s.cloud.Wire.Break(awstest.Fault{Operation: "S3.CompleteMultipartUpload", Nth: 1, Do: func() {
		s.write(t, assetsBucket, s.shared(largeName), app["assets/"+largeName])
	}})
	s.upload(t, a)
	if got := s.read(t, s.shared(largeName)); got != app["assets/"+largeName] {
		t.Errorf("it holds %d bytes", len(got))
	}
}
