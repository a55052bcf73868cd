package aws_test

import (
	"context"
	"fmt"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

	"github.com/anchor-deploy/anchor/internal/aws"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// TestDeploy_Killed kills the process while it sends the assets, while it creates the
// functions, and after that. The live deployment is not affected, and another process takes the
// same deployment live. After the second kill it waits until the dead process's lease expires.
func TestDeploy_Killed(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	live, version := s.deploy(t, platformtest.NewApp("v0")), "v0"
	for _, n := range []int{4, 20, 36} {
		next := fmt.Sprintf("v%d", n)
		a := s.artifact(t, platformtest.NewApp(next))
		net := &mortal{wire: s.Wire, n: n, after: n == 20}
		c := s.Config()
		c.HTTPClient, c.Retryer = net, func() sdk.Retryer { return sdk.NopRetryer{} }
		if err := prepare(t.Context(), s.process(t, c), a); err == nil {
			t.Fatalf("it made only %d calls and was not killed at %d", net.seen, n)
		}
		s.wantLive(t, live, version)
		s.platform = s.process(t, s.Config())
		live, version = platformtest.Prepare(t, s.platform, a), next
		_, err := s.releases(s.platform).GoLive(t.Context(), live)
		must(t, err)
		s.wantLive(t, live, version)
	}
}

// prepare runs the steps before a release.
func prepare(ctx context.Context, p *aws.Platform, a deploy.Artifact) error {
	note := func(string, ...any) {}
	if err := p.Check(ctx, a); err != nil {
		return err
	}
	if err := p.Upload(ctx, a, note); err != nil {
		return err
	}
	if _, err := p.Publish(ctx, a, note); err != nil {
		return err
	}
	if err := p.Seed(ctx, a, note); err != nil {
		return err
	}
	return p.Probe(ctx, a, note)
}

var _ deploy.Platform = (*aws.Platform)(nil)
