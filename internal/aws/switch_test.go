package aws_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
	"github.com/anchor-deploy/anchor/internal/release"
)

// TestAliases_SeenByAWSCLI checks each switch with the AWS CLI instead of the SDK.
func TestAliases_SeenByAWSCLI(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	one := s.deploy(t, twoFunctions("one"))
	two := s.deploy(t, twoFunctions("two"))
	want := func(d anchor.Deployment) {
		t.Helper()
		for function, name := range map[string]string{"anchor-shop-server": anchor.ServerFunction, "anchor-shop-image": anchor.ImageFunction} {
			aliases := strings.Fields(s.CLI(t, "lambda", "list-aliases", "--function-name", function, "--query", "Aliases[].[Name,FunctionVersion]", "--output", "text"))
			for _, alias := range []string{"live", "d-" + string(d.ID)} {
				i := slices.Index(aliases, alias)
				if i < 0 || aliases[i+1] != d.Functions[name].Version {
					t.Errorf("the aliases of %s are %v, want %s on version %s", function, aliases, alias, d.Functions[name].Version)
				}
			}
		}
	}
	want(two)
	_, err := s.releases(s.platform).Rollback(t.Context(), s.project.ID, one.ID)
	must(t, err)
	want(one)
	_, err = s.releases(s.platform).Promote(t.Context(), s.project.ID, two.ID)
	must(t, err)
	want(two)
}

// TestSwitch_Faults breaks one call of a rollback in each way that AWS can fail. The rollback
// recovers, or returns an error and everything is as it was, although the cause persists.
func TestSwitch_Faults(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	one, two := s.deploy(t, twoFunctions("one")), s.deploy(t, twoFunctions("two"))
	at, other, names := one, two, map[anchor.DeploymentID]string{one.ID: "one", two.ID: "two"}
	const alias, keys, move = "Lambda.UpdateAlias", "CloudFront KeyValueStore.UpdateKeys", "DynamoDB.TransactWriteItems"
	stale := awstest.Fault{Operation: alias, Nth: 1, Status: 412, Code: "PreconditionFailedException", Message: "The RevisionId provided does not match the latest RevisionId"}
	for name, test := range map[string]struct {
		fault awstest.Fault
		fails bool // the rollback cannot recover by itself
	}{
		"a stale RevisionId":              {stale, false},
		"a stale RevisionId, server's":    {awstest.Fault{Operation: alias, Nth: 2, Status: 412, Code: stale.Code}, false},
		"an alias too busy":               {awstest.Fault{Operation: alias, Nth: 1, Status: 429, Code: "TooManyRequestsException"}, false},
		"an alias in an update":           {awstest.Fault{Operation: alias, Nth: 1, Status: 409, Code: "ResourceConflictException"}, false},
		"an alias' lost answer":           {awstest.Fault{Operation: alias, Nth: 2, After: true}, false},
		"an alias that cannot move":       {awstest.Fault{Operation: alias, Status: 500, Code: "ServiceException"}, true},
		"an alias that must not move":     {awstest.Fault{Operation: alias, Status: 403, Code: "AccessDeniedException"}, true},
		"the server's that must not move": {awstest.Fault{Operation: alias, Path: "-server/", Status: 403, Code: "AccessDeniedException"}, true},
		"the image's that must not move":  {awstest.Fault{Operation: alias, Path: "-image/", Status: 403, Code: "AccessDeniedException"}, true},
		"the server's that cannot move":   {awstest.Fault{Operation: alias, Path: "-server/", Status: 500, Code: "ServiceException"}, true},
		"a stale ETag":                    {awstest.Fault{Operation: keys, Nth: 1, Status: 409, Code: "ConflictException", Message: "the ETag is stale"}, false},
		"a store that is unavailable":     {awstest.Fault{Operation: keys, Nth: 1, Status: 503, Code: "ServiceUnavailable"}, false},
		"a store's lost answer":           {awstest.Fault{Operation: keys, Nth: 1, After: true}, false},
		"a store that must not change":    {awstest.Fault{Operation: keys, Status: 403, Code: "AccessDeniedException"}, true},
		"a pointer's lost answer":         {awstest.Fault{Operation: move, Nth: 1, After: true}, false},
		"a pointer's conflict of another": {awstest.Fault{Operation: move, Nth: 1, Status: 400, Code: "TransactionInProgressException"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s.Wire.Break(test.fault)
			_, err := s.releases(s.platform).Rollback(t.Context(), s.project.ID, at.ID)
			s.Wire.Mend()
			if !test.fails {
				if err != nil {
					t.Errorf("the rollback's error is %v", err)
				}
				s.wantLive(t, at, names[at.ID])
				at, other = other, at
				return
			}
			if anchor.CodeOf(err) != "switch_failed" || anchor.HintOf(err) == "" {
				t.Errorf("the rollback's error is %v (%s), which says to %q", err, anchor.CodeOf(err), anchor.HintOf(err))
			}
			if test.fault.Code == "AccessDeniedException" && !strings.Contains(err.Error(), ":Update") {
				t.Errorf("%v does not name the action that is missing", err)
			}
			s.wantLive(t, other, names[other.ID])
		})
	}
}

// TestPlatform_Reconcile_HealsDividedTraffic denies one alias the way forward and the other one
// the way back. The pointer says that traffic is divided until a later round heals it.
func TestPlatform_Reconcile_HealsDividedTraffic(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	one, two := s.deploy(t, twoFunctions("one")), s.deploy(t, twoFunctions("two"))
	denied := awstest.Fault{Operation: "Lambda.UpdateAlias", Path: "-server/", Status: 403, Code: "AccessDeniedException"}
	stuck := denied
	stuck.Path, stuck.From = "-image/", 2
	s.Wire.Break(denied, stuck)
	_, err := s.releases(s.platform).Rollback(t.Context(), s.project.ID, one.ID)
	if anchor.CodeOf(err) != release.DividedCode || !strings.Contains(anchor.HintOf(err), "lambda:UpdateAlias") {
		t.Errorf("the rollback's error is %v, which says to %q", err, anchor.HintOf(err))
	}
	live, err := s.store.Live(t.Context(), s.project.ID)
	must(t, err)
	if live.Deployment != two.ID || live.DividedSince == 0 {
		t.Errorf("live is %+v, want %s with divided traffic", live, two.ID)
	}
	later := s.with(t, func(c *aws.Config) {
		c.AWS, c.Now = s.Config(), func() time.Time { return time.Now().Add(time.Hour) }
	})
	if err := later.Reconcile(t.Context()); err == nil {
		t.Error("a round that cannot heal reports nothing")
	}
	s.Wire.Mend()
	must(t, later.Reconcile(t.Context()))
	s.wantLive(t, two, "two")
	healed, err := s.store.Live(t.Context(), s.project.ID)
	must(t, err)
	events, err := s.store.Events(t.Context(), live.Record, 0)
	must(t, err)
	if healed.DividedSince != 0 || len(events) == 0 || !strings.Contains(events[len(events)-1].Message, "traffic was divided since") {
		t.Errorf("live is %+v, and its journal ends with %+v", healed, events)
	}
}

// TestSwitch_AliasMovedByOthers moves an alias by hand; the reconciler moves it back.
func TestSwitch_AliasMovedByOthers(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	one, two := s.deploy(t, twoFunctions("one")), s.deploy(t, twoFunctions("two"))
	_, err := s.lambda.UpdateAlias(t.Context(), &lambda.UpdateAliasInput{
		FunctionName: sdk.String("anchor-shop-server"), Name: sdk.String("live"), FunctionVersion: sdk.String(one.Functions["default"].Version),
	})
	must(t, err)
	must(t, s.process(t, s.Config()).Reconcile(t.Context()))
	s.wantLive(t, two, "two")
}

// TestFunctionURLs_RefuseOutsiders asserts that requests to a function's own URL are refused.
func TestFunctionURLs_RefuseOutsiders(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.deploy(t, twoFunctions("one"))
	out, err := s.lambda.GetFunctionUrlConfig(t.Context(), &lambda.GetFunctionUrlConfigInput{
		FunctionName: sdk.String("anchor-shop-server"), Qualifier: sdk.String("live"),
	})
	must(t, err)
	for name, secret := range map[string]string{"no secret": "", "another secret": "nonsense"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, sdk.ToString(out.FunctionUrl), http.NoBody)
		must(t, err)
		r.Header.Set("X-Anchor-Origin", secret)
		res, err := s.client.Do(r)
		must(t, err)
		res.Body.Close()
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: the function answers %d", name, res.StatusCode)
		}
	}
}

// TestSecrets_RotatedAreAccepted rotates the secret with a deployment from before the rotation.
func TestSecrets_RotatedAreAccepted(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	old := s.deploy(t, platformtest.NewApp("old"))
	s.platform = s.with(t, func(c *aws.Config) { c.Secrets = aws.Generations{Newest: 2} })
	fresh := s.deploy(t, platformtest.NewApp("fresh"))
	s.wantLive(t, fresh, "fresh")
	_, err := s.releases(s.platform).Rollback(t.Context(), s.project.ID, old.ID)
	must(t, err)
	s.wantLive(t, old, "old")

	s.platform = s.with(t, func(c *aws.Config) { c.Secrets = aws.Generations{Newest: 2, Oldest: 2} })
	last := s.deploy(t, platformtest.NewApp("last"))
	s.wantLive(t, last, "last")
	_, host := s.platform.Hosts(s.project, old.ID)
	if got := s.page(t, host, "/"); got == "old" {
		t.Error("a version with a secret that is out of use is still reached")
	}
	_, host = s.platform.Hosts(s.project, fresh.ID)
	if got := s.page(t, host, "/"); got != "fresh" {
		t.Errorf("a version with the secret in use answers %q", got)
	}
}

func TestHosts_URLs(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	if site, deployment := s.platform.URLs(s.project, "x"); site != "" || deployment != "" {
		t.Errorf("before the first deployment there are the URLs %q and %q", site, deployment)
	}
	d := s.deploy(t, platformtest.NewApp("one"))
	for _, p := range []*aws.Platform{s.platform, s.process(t, s.Config())} {
		site, deployment := p.URLs(s.project, d.ID)
		domain, _ := p.Hosts(s.project, "")
		if domain == "" || site != "https://"+domain || deployment != site+"/__anchor/preview/"+string(d.ID) {
			t.Errorf("the URLs are %q and %q, the host %q", site, deployment, domain)
		}
		if _, none := p.URLs(s.project, ""); none != "" {
			t.Errorf("no deployment has the URL %q", none)
		}
	}
}
