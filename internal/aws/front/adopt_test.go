package front_test

import (
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// TestFront_Ensure_AdoptsADistribution: an installation of one project may name the distribution
// that serves it. Another project does not get it.
func TestFront_Ensure_AdoptsADistribution(t *testing.T) {
	s := newStand(t)
	made, err := s.cf.CreateDistribution(t.Context(), &cloudfront.CreateDistributionInput{DistributionConfig: &types.DistributionConfig{
		CallerReference: sdk.String("by hand"), Comment: sdk.String("the shop"), Enabled: sdk.Bool(true),
		Origins: &types.Origins{Quantity: sdk.Int32(1), Items: []types.Origin{{Id: sdk.String("old"), DomainName: sdk.String("old.example.com"),
			CustomOriginConfig: &types.CustomOriginConfig{HTTPPort: sdk.Int32(80), HTTPSPort: sdk.Int32(443), OriginProtocolPolicy: types.OriginProtocolPolicyHttpsOnly}}}},
		DefaultCacheBehavior: &types.DefaultCacheBehavior{TargetOriginId: sdk.String("old"), ViewerProtocolPolicy: types.ViewerProtocolPolicyRedirectToHttps},
	}})
	must(t, err)
	id := sdk.ToString(made.Distribution.Id)
	s.Front = s.naming(id)
	if site := s.ensure(); site.Distribution != id {
		t.Errorf("the project is served by %s, want %s", site.Distribution, id)
	}
	if site, err := s.Find(t.Context(), s.project); err != nil || site.Distribution != id {
		t.Errorf("found is %+v, %v", site, err)
	}
	if config := s.distribution(id).Distribution.DistributionConfig; sdk.ToInt32(config.CacheBehaviors.Quantity) != 2 {
		t.Errorf("the distribution is configured as %+v", config)
	}
	other := anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "blog"}
	if _, err := s.Ensure(t.Context(), other, liveHosts); anchor.CodeOf(err) != "distribution_taken" || anchor.HintOf(err) == "" {
		t.Errorf("a second project gets %v", err)
	}
	s.Front = s.naming("ENONE")
	if _, err := s.Ensure(t.Context(), s.project, liveHosts); err == nil {
		t.Error("a distribution that does not exist is accepted")
	}
}
