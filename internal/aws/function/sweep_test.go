package function_test

import (
	"path"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

func (s *stand) zips(t *testing.T, p anchor.Project) []string {
	t.Helper()
	out, err := s.S3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: sdk.String(bucket), Prefix: sdk.String("functions/" + string(p.ID) + "/")})
	must(t, err)
	var all []string
	for _, object := range out.Contents {
		all = append(all, path.Base(*object.Key))
	}
	return all
}

// TestSweepCode: zips that a version was made of stay, also for a deployment that is not live.
// Zips that just arrived may still be used.
func TestSweepCode(t *testing.T) {
	s, p := newStand(t), newProject()
	one := s.publish(t, artifactOf(t, p, platformtest.NewApp("one")))
	two := s.publish(t, artifactOf(t, p, platformtest.NewApp("two")))
	s.route(t, p, two, 1)
	stray := "functions/" + string(p.ID) + "/" + strings.Repeat("ab", 32) + ".zip"
	_, err := s.S3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: sdk.String(bucket), Key: &stray, Body: strings.NewReader("zip")})
	must(t, err)
	all := len(s.zips(t, p))

	must(t, s.SweepCode(t.Context(), p, time.Hour))
	if got := s.zips(t, p); len(got) != all {
		t.Fatalf("of %d that are young, %v are left", all, got)
	}
	must(t, s.SweepCode(t.Context(), p, -time.Hour))
	if got := s.zips(t, p); len(got) != all-1 {
		t.Errorf("of %d, of which one is of no use, %v are left", all, got)
	}
	must(t, s.Remove(t.Context(), p, one))
	must(t, s.SweepCode(t.Context(), p, -time.Hour))
	if got := s.zips(t, p); len(got) != all-2 {
		t.Errorf("after the removal of a deployment of %d, %v are left", all, got)
	}
	s.want(t, p, anchor.LiveAlias, "/", "two")
}

func TestSweepCode_KeepsDeploymentUnderWay(t *testing.T) {
	s, p := newStand(t), newProject()
	s.publish(t, artifactOf(t, p, platformtest.NewApp("one")))
	_, release, err := s.leases.Lease(t.Context(), p.ID, "a deployment", time.Minute)
	must(t, err)
	if err := s.SweepCode(t.Context(), p, -time.Hour); anchor.KindOf(err) != anchor.KindBusy {
		t.Errorf("beside a deployment: %v", err)
	}
	must(t, release(t.Context()))
	must(t, s.SweepCode(t.Context(), p, -time.Hour))
}
