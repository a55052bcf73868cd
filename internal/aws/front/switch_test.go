package front_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/front"
)

func (s *stand) publishAndSwitch(site front.Site) {
	s.t.Helper()
	a := s.artifact()
	s.publish(a)
	if err := s.Follow(s.t.Context(), s.project, s.live(a, 1)); err != nil {
		s.t.Fatal(err)
	}
	s.wantLive(site, 1, a.Deployment.ID)
}

func (s *stand) wantLive(site front.Site, revision int, d anchor.DeploymentID) {
	s.t.Helper()
	if got, want := s.stored(site)["live"], fmt.Sprintf(`{"r":%d,"d":%q}`, revision, d); got != want {
		s.t.Errorf("live is %s, want %s", got, want)
	}
}

func TestSwitch_NeverGoesBack(t *testing.T) {
	s := newStand(t)
	site := s.ensure()
	a, b := s.artifact(), s.artifact()
	s.publish(a)
	s.publish(b)
	other := s.another()
	if err := other.Refresh(t.Context(), s.project); err != nil {
		t.Fatal(err)
	}
	if err := s.Follow(t.Context(), s.project, s.live(b, 2)); err != nil {
		t.Fatal(err)
	}
	// The other process does not know revision 2, and follows revision 1.
	if err := other.Follow(t.Context(), s.project, s.live(a, 1)); err != nil {
		t.Fatal(err)
	}
	s.wantLive(site, 2, b.Deployment.ID)
	if err := other.Follow(t.Context(), s.project, s.live(a, 3)); err != nil {
		t.Fatal(err)
	}
	s.wantLive(site, 3, a.Deployment.ID)
}

func TestSwitch_OneCallWhenPrepared(t *testing.T) {
	s := newStand(t)
	s.ensure()
	a := s.artifact()
	s.publish(a)
	f := s.another()
	ready := s.prepare(f)
	calls := s.cloud.Wire.Record()
	live := s.live(a, 1)
	if err := errors.Join(ready.Commit(t.Context(), live), f.Purge(t.Context(), s.project, live)); err != nil {
		t.Fatal(err)
	}
	if got := calls(); len(got) != 2 {
		t.Errorf("switch and purge take %+v", got)
	}
}

func TestSwitch_SurvivesFaults(t *testing.T) {
	first := newStand(t)
	for name, fault := range map[string]awstest.Fault{
		"a conflict":      {Nth: 1, Status: 409, Code: "ConflictException"},
		"a lost answer":   {Nth: 1, After: true},
		"a lost 500":      {Nth: 1, After: true, Status: 500, Code: "InternalServerException"},
		"throttling":      {Nth: 1, Status: 429, Code: "ThrottlingException"},
		"not there yet":   {Nth: 1, Status: 503, Code: "ServiceUnavailable"},
		"broken at first": {Nth: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := first.fresh(t)
			site := s.ensure()
			a := s.artifact()
			s.publish(a)
			fault.Operation = "CloudFront KeyValueStore.UpdateKeys"
			s.cloud.Wire.Break(fault)
			if err := s.Follow(t.Context(), s.project, s.live(a, 1)); err != nil {
				t.Fatal(err)
			}
			s.wantLive(site, 1, a.Deployment.ID)
		})
	}
}

// TestStore_ConvergesAfterAnyBrokenCall: each call with which a deployment changes the store fails
// once, before and after it took effect. A new process then repeats the operation.
func TestStore_ConvergesAfterAnyBrokenCall(t *testing.T) {
	first := newStand(t)
	for _, operation := range []string{"CloudFront.DescribeKeyValueStore", "CloudFront KeyValueStore.DescribeKeyValueStore", "CloudFront KeyValueStore.GetKey", "CloudFront KeyValueStore.UpdateKeys"} {
		for nth := 1; nth <= 3; nth++ {
			for _, after := range []bool{false, true} {
				t.Run(name(operation, nth, after), func(t *testing.T) {
					s := first.fresh(t)
					site := s.ensure()
					a, b := s.artifact(), s.artifact()
					s.Front = s.another()
					s.cloud.Wire.Break(awstest.Fault{Operation: operation, Nth: nth, After: after, Status: 400, Code: "Broken"})
					way := func() error {
						hosts := map[string]string{"default": "d.on.aws", "imageOptimizer": "i.on.aws"}
						for _, step := range []func() error{
							func() error { return s.Publish(t.Context(), a, hosts) },
							func() error { return s.Publish(t.Context(), b, hosts) },
							func() error { return s.Follow(t.Context(), s.project, s.live(a, 1)) },
							func() error { return s.Follow(t.Context(), s.project, s.live(b, 2)) },
							func() error { return s.Forget(t.Context(), s.project, a.Deployment.ID) },
						} {
							if err := step(); err != nil {
								return err
							}
						}
						return nil
					}
					_ = way()
					s.cloud.Wire.Mend()
					s.Front = s.another()
					if err := way(); err != nil {
						t.Fatal(err)
					}
					s.wantLive(site, 2, b.Deployment.ID)
					if stored := s.stored(site); len(stored) != 2 {
						t.Errorf("the store holds %v", stored)
					}
				})
			}
		}
	}
}

func TestSwitch_StopsOnEndlessConflicts(t *testing.T) {
	s := newStand(t)
	s.ensure()
	a := s.artifact()
	s.publish(a)
	s.cloud.Wire.Break(awstest.Fault{Operation: "CloudFront KeyValueStore.UpdateKeys", Status: 409, Code: "ConflictException"})
	err := s.Follow(t.Context(), s.project, s.live(a, 1))
	wantError(t, err, "cloudfront_contended", "anchor-shop")
}

func TestPurge_OncePerRelease(t *testing.T) {
	s := newStand(t)
	site := s.ensure()
	live := s.live(s.artifact(), 1)
	for range 2 {
		if err := s.Purge(t.Context(), s.project, live); err != nil {
			t.Fatal(err)
		}
	}
	text := s.cloud.CLI(t, "cloudfront", "list-invalidations", "--distribution-id", site.Distribution)
	if got := strings.Count(text, `"Id"`); got != 1 {
		t.Errorf("there are %d invalidations: %s", got, text)
	}
}

func TestPurge_BacksOff(t *testing.T) {
	s := newStand(t)
	s.ensure()
	crowd := awstest.Fault{Operation: "CloudFront.CreateInvalidation", Status: 400, Code: "TooManyInvalidationsInProgress"}
	for i := range 3 {
		crowd.Nth = i + 1
		s.cloud.Wire.Break(crowd)
	}
	live := s.live(s.artifact(), 1)
	calls := s.cloud.Wire.Record()
	if err := s.Purge(t.Context(), s.project, live); err != nil {
		t.Errorf("after three refusals it returns %v", err)
	}
	var tries int
	for _, c := range calls() {
		if c.Operation == crowd.Operation {
			tries++
		}
	}
	if tries != 4 {
		t.Errorf("it calls CreateInvalidation %d times, want 4", tries)
	}
	s.cloud.Wire.Mend()
	crowd.Nth = 0
	s.cloud.Wire.Break(crowd)
	err := s.Purge(t.Context(), s.project, live)
	wantError(t, err, "cloudfront_busy", "CreateInvalidation")
	if anchor.KindOf(err) != anchor.KindBusy {
		t.Errorf("its kind is %s", anchor.KindOf(err))
	}
}

func TestForget(t *testing.T) {
	s := newStand(t)
	site := s.ensure()
	a, b := s.artifact(), s.artifact()
	for i := range 200 {
		b.Build.Routes = append(b.Build.Routes, anchor.Route{Pattern: fmt.Sprintf("a-file-of-public-%d.txt", i)})
	}
	s.publish(a)
	s.publish(b)
	if err := s.Follow(t.Context(), s.project, s.live(a, 1)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Forget(t.Context(), s.project, b.Deployment.ID); err != nil {
			t.Fatal(err)
		}
	}
	for key := range s.stored(site) {
		if strings.Contains(key, string(b.Deployment.ID)) {
			t.Errorf("%s is still there", key)
		}
	}
	wantError(t, s.Forget(t.Context(), s.project, a.Deployment.ID), "deployment_live", "live")
}

func TestPublish_Refuses(t *testing.T) {
	s := newStand(t)
	a := s.artifact()
	hosts := map[string]string{"default": "d.on.aws", "imageOptimizer": "i.on.aws"}
	wantError(t, s.Publish(t.Context(), a, hosts), "no_distribution", "shop")
	s.ensure()
	wantError(t, s.Publish(t.Context(), a, map[string]string{"default": "d.on.aws"}), "no_function_url", "imageOptimizer")
	for i := range 2000 {
		a.Build.Routes = append(a.Build.Routes, anchor.Route{Pattern: fmt.Sprintf("a-file-of-public-%d.txt", i)})
	}
	wantError(t, s.Publish(t.Context(), a, hosts), "too_many_routes", "octets")
}

func wantError(t *testing.T, err error, code, text string) {
	t.Helper()
	if anchor.CodeOf(err) != code || !strings.Contains(err.Error(), text) || anchor.HintOf(err) == "" {
		t.Errorf("it says %v (code %q, hint %q), want %s and %q", err, anchor.CodeOf(err), anchor.HintOf(err), code, text)
	}
}

func name(operation string, nth int, after bool) string {
	return fmt.Sprintf("%s %d after=%v", operation, nth, after)
}
