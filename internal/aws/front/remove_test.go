package front_test

import (
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
)

func TestRemoveProject(t *testing.T) {
	s := newStand(t)
	s.ensure()
	for range 2 {
		if err := s.RemoveProject(t.Context(), s.project); err != nil {
			t.Fatal(err)
		}
	}
	s.wantNothingLeft()
	s.publishAndSwitch(s.ensure())
}

func TestRemoveProject_ContinuesLater(t *testing.T) {
	first := newStand(t)
	for operation, code := range map[string]string{
		"CloudFront.DeleteDistribution":  "DistributionNotDisabled",
		"CloudFront.DeleteFunction":      "FunctionInUse",
		"CloudFront.DeleteKeyValueStore": "CannotDeleteEntityWhileInUse",
	} {
		t.Run(code, func(t *testing.T) {
			s := first.fresh(t)
			s.ensure()
			s.cloud.Wire.Break(awstest.Fault{Operation: operation, Status: 409, Code: code})
			err := s.RemoveProject(t.Context(), s.project)
			wantError(t, err, "cloudfront_settling", "still")
			if anchor.KindOf(err) != anchor.KindBusy {
				t.Errorf("its kind is %s", anchor.KindOf(err))
			}
			s.cloud.Wire.Mend()
			if err := s.RemoveProject(t.Context(), s.project); err != nil {
				t.Fatal(err)
			}
			s.wantNothingLeft()
		})
	}
}

func TestRemoveProject_ConvergesAfterAnyBrokenCall(t *testing.T) {
	s := newStand(t)
	s.ensure()
	calls := s.cloud.Wire.Record()
	if err := s.RemoveProject(t.Context(), s.project); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, c := range calls() {
		seen[c.Operation]++
		nth := seen[c.Operation]
		for _, after := range []bool{false, true} {
			t.Run(name(c.Operation, nth, after), func(t *testing.T) {
				s := s.fresh(t)
				s.ensure()
				s.cloud.Wire.Break(awstest.Fault{Operation: c.Operation, Nth: nth, After: after, Status: 400, Code: "Broken"})
				if err := s.RemoveProject(t.Context(), s.project); err == nil {
					t.Fatal("it does not say that a call failed")
				}
				s.cloud.Wire.Mend()
				s.Front = s.another()
				if err := s.RemoveProject(t.Context(), s.project); err != nil {
					t.Fatal(err)
				}
				s.wantNothingLeft()
			})
		}
	}
}

func TestEnsure_WaitsForRemovalOfSameName(t *testing.T) {
	s := newStand(t)
	s.ensure()
	s.project.ID = anchor.ProjectID(anchor.NewID())
	_, err := s.Ensure(t.Context(), s.project, liveHosts)
	wantError(t, err, "cloudfront_settling", "shop")
}

func TestRemoveProject_KeepsNextOfSameName(t *testing.T) {
	s := newStand(t)
	s.ensure()
	old := s.project
	if err := s.RemoveProject(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	s.project.ID = anchor.ProjectID(anchor.NewID())
	site := s.ensure()
	if err := s.RemoveProject(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	s.publishAndSwitch(site)
}

// TestRemoveShared continues where it was interrupted, reports what stays, and keeps the
// account's other policies.
func TestRemoveShared(t *testing.T) {
	s := newStand(t)
	_, err := s.cf.CreateCachePolicy(t.Context(), &cloudfront.CreateCachePolicyInput{CachePolicyConfig: &types.CachePolicyConfig{
		Name: sdk.String("somebody-elses"), MinTTL: sdk.Int64(0),
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.ensure()
	if err := s.RemoveProject(t.Context(), s.project); err != nil {
		t.Fatal(err)
	}
	for operation, code := range map[string]string{"DeleteCachePolicy": "CachePolicyInUse", "DeleteOriginAccessControl": "OriginAccessControlInUse"} {
		s.cloud.Wire.Break(awstest.Fault{Operation: "CloudFront." + operation, Status: 409, Code: code})
	}
	if kept, err := s.RemoveShared(t.Context()); err != nil || len(kept) != 3 {
		t.Errorf("in use, it reports %q, %v", kept, err)
	}
	s.cloud.Wire.Mend()
	s.cloud.Wire.Break(awstest.Fault{Operation: "CloudFront.DeleteCachePolicy", Nth: 1, Status: 403, Code: "AccessDenied"})
	if _, err := s.RemoveShared(t.Context()); err == nil || anchor.HintOf(err) == "" {
		t.Errorf("refused: %v", err)
	}
	s.cloud.Wire.Mend()
	for range 2 {
		if kept, err := s.RemoveShared(t.Context()); err != nil || len(kept) != 0 {
			t.Errorf("it keeps %q, %v", kept, err)
		}
	}
	policies, err := s.cf.ListCachePolicies(t.Context(), &cloudfront.ListCachePoliciesInput{Type: types.CachePolicyTypeCustom})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range policies.CachePolicyList.Items {
		if name := sdk.ToString(p.CachePolicy.CachePolicyConfig.Name); name != "somebody-elses" {
			t.Errorf("there is still the policy %s", name)
		}
	}
	controls, err := s.cf.ListOriginAccessControls(t.Context(), &cloudfront.ListOriginAccessControlsInput{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(controls.OriginAccessControlList.Items); n != 0 || len(policies.CachePolicyList.Items) != 1 {
		t.Errorf("there are %d access controls and %d policies", n, len(policies.CachePolicyList.Items))
	}
	s.publishAndSwitch(s.ensure()) // the same process creates them again
}

func (s *stand) wantNothingLeft() {
	s.t.Helper()
	functions, err := s.cf.ListFunctions(s.t.Context(), &cloudfront.ListFunctionsInput{})
	if err != nil {
		s.t.Fatal(err)
	}
	stores, err := s.cf.ListKeyValueStores(s.t.Context(), &cloudfront.ListKeyValueStoresInput{})
	if err != nil {
		s.t.Fatal(err)
	}
	if n, f, k := s.distributions(), functions.FunctionList.Items, stores.KeyValueStoreList.Items; n+len(f)+len(k) != 0 {
		s.t.Errorf("there are still %d distributions, the functions %+v, the stores %+v", n, f, k)
	}
}
