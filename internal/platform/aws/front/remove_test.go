package front_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudfront"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/awstest"
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

func TestRemoveProjectGoesOnLater(t *testing.T) {
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

func TestRemoveProjectConvergesAfterAnyBrokenCall(t *testing.T) {
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
				s.Front, _ = s.another()
				if err := s.RemoveProject(t.Context(), s.project); err != nil {
					t.Fatal(err)
				}
				s.wantNothingLeft()
			})
		}
	}
}

func TestANewProjectOfTheSameNameWaits(t *testing.T) {
	s := newStand(t)
	s.ensure()
	s.project.ID = anchor.ProjectID(anchor.NewID())
	_, err := s.Ensure(t.Context(), s.project, liveHosts)
	wantError(t, err, "cloudfront_settling", "shop")
}

func TestRemoveProjectLeavesTheNextOfItsName(t *testing.T) {
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
