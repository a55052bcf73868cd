package function_test

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// Faults that the emulator does not show by itself. Each occurs once, and the same run recovers
// from it.
var passing = map[string][]awstest.Fault{
	"another changed the code before":            {{Operation: "Lambda.UpdateFunctionCode", Nth: 1, Status: 412, Code: "PreconditionFailedException"}},
	"another changed the configuration before":   {{Operation: "Lambda.UpdateFunctionConfiguration", Nth: 1, Status: 412, Code: "PreconditionFailedException"}},
	"another changed the function before":        {{Operation: "Lambda.PublishVersion", Nth: 1, Status: 412, Code: "PreconditionFailedException"}},
	"the code is not what was compared":          {{Operation: "Lambda.PublishVersion", Nth: 1, Status: 400, Code: "InvalidParameterValueException", Message: "CodeSHA256 (x) is different from current CodeSHA256 in $LATEST (y)."}},
	"busy with an update of the code":            {{Operation: "Lambda.UpdateFunctionCode", Nth: 1, Status: 409, Code: "ResourceConflictException", Message: "The operation cannot be performed at this time. An update is in progress"}},
	"busy with an update of the configuration":   {{Operation: "Lambda.UpdateFunctionConfiguration", Nth: 1, Status: 409, Code: "ResourceConflictException", Message: "An update is in progress"}},
	"busy at publishing":                         {{Operation: "Lambda.PublishVersion", Nth: 1, Status: 409, Code: "ResourceConflictException", Message: "An update is in progress"}},
	"busy at the permissions":                    {{Operation: "Lambda.AddPermission", Nth: 1, Status: 409, Code: "ResourceConflictException", Message: "busy"}},
	"busy at the URL":                            {{Operation: "Lambda.CreateFunctionUrlConfig", Nth: 1, Status: 409, Code: "ResourceConflictException", Message: "busy"}},
	"throttled":                                  {{Operation: "Lambda.UpdateFunctionCode", Nth: 1, Status: 429, Code: "TooManyRequestsException"}, {Operation: "Lambda.PublishVersion", Nth: 1, Status: 429, Code: "TooManyRequestsException"}},
	"S3 is slow":                                 {{Operation: "S3.PutObject", Nth: 1, Status: 503, Code: "SlowDown"}},
	"a connection breaks":                        {{Operation: "Lambda.CreateAlias", Nth: 1}},
	"the answer to the upload is lost":           {{Operation: "S3.PutObject", Nth: 1, After: true}},
	"the answer to the code is lost":             {{Operation: "Lambda.UpdateFunctionCode", Nth: 1, After: true, Status: 500, Code: "ServiceException"}},
	"the answer to the configuration is lost":    {{Operation: "Lambda.UpdateFunctionConfiguration", Nth: 1, After: true, Status: 500, Code: "ServiceException"}},
	"the answer to the version is lost":          {{Operation: "Lambda.PublishVersion", Nth: 1, After: true, Status: 500, Code: "ServiceException"}},
	"the answer to the alias is lost":            {{Operation: "Lambda.CreateAlias", Nth: 1, After: true, Status: 500, Code: "ServiceException"}},
	"the answers to the permissions are lost":    {{Operation: "Lambda.AddPermission", Nth: 1, After: true, Status: 500, Code: "ServiceException"}, {Operation: "Lambda.AddPermission", Nth: 3, After: true}},
	"the answer to the URL is lost":              {{Operation: "Lambda.CreateFunctionUrlConfig", Nth: 1, After: true, Status: 500, Code: "ServiceException"}},
	"the new version is not everywhere yet":      {{Operation: "Lambda.CreateAlias", Nth: 1, Status: 409, Code: "ResourceConflictException", Message: "busy"}},
	"the function reads as it was before it was": {{Operation: "Lambda.GetFunctionConfiguration", Nth: 3, Status: 404, Code: "ResourceNotFoundException"}},
}

func TestPublish_RetriesFaults(t *testing.T) {
	t.Parallel()
	inGroups(t, slices.Sorted(maps.Keys(passing)), func(name string) string { return name }, func(t *testing.T) func(*testing.T, string) {
		s, p := newStand(t), newProject()
		s.route(t, p, s.publish(t, artifactOf(t, p, platformtest.NewApp("live"))), 1)
		return func(t *testing.T, name string) {
			app := platformtest.NewApp(anchor.NewID())
			a := artifactOf(t, p, app)
			s.cloud.Wire.Break(passing[name]...)
			d := s.publish(t, a)
			s.cloud.Wire.Mend()
			s.wantPublished(t, p, d, app["assets/BUILD_ID"])
			s.want(t, p, anchor.LiveAlias, "/", "live")
		}
	})
}

// wantPublished asserts that a deployment has one version, which is reachable and which a further
// run finds.
func (s *stand) wantPublished(t *testing.T, p anchor.Project, d anchor.Deployment, page string) {
	t.Helper()
	s.want(t, p, "d-"+string(d.ID), "/", page)
	s.want(t, p, "d-"+string(d.ID), "/greeting", "hello")
	s.prepare(t, p, d)
	function := "anchor-" + p.Slug + "-server"
	out, err := s.Lambda.ListVersionsByFunction(t.Context(), &lambda.ListVersionsByFunctionInput{FunctionName: &function})
	must(t, err)
	found := 0
	for _, v := range out.Versions {
		if sdk.ToString(v.Version) != "$LATEST" && v.Environment.Variables["ANCHOR_DEPLOYMENT_ID"] == string(d.ID) {
			found++
		}
	}
	if found != 1 {
		t.Errorf("the deployment has %d versions of %s", found, function)
	}
}

// Another process writes to $LATEST between the comparison and the publishing, which Lambda
// notices by the RevisionId. The version still has the deployment's environment.
func TestPublish_OtherEnvironmentIsRefused(t *testing.T) {
	s, p := newStand(t), newProject()
	function := "anchor-" + p.Slug + "-server"
	a := artifactOf(t, p, platformtest.NewApp("one"))
	s.cloud.Wire.Break(awstest.Fault{
		Operation: "Lambda.PublishVersion", Nth: 1, Status: 412, Code: "PreconditionFailedException",
		Do: func() {
			s.cloud.CLI(t, "lambda", "update-function-configuration", "--function-name", function, "--environment", "Variables={GREETING=foreign}")
		},
	})
	d := s.publish(t, a)
	s.wantPublished(t, p, d, "one")
}

// A call without an answer ends when the caller's context does, and the next run continues.
func TestPublish_StopsOnSilence(t *testing.T) {
	s, p := newStand(t), newProject()
	a := artifactOf(t, p, platformtest.NewApp("one"))
	s.cloud.Wire.Break(awstest.Fault{Operation: "Lambda.CreateAlias", Hang: true, Do: func() {}})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := s.Publish(ctx, a, wanted(env(a)), t.Logf); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it says %v", err)
	}
	s.cloud.Wire.Mend()
	s.wantPublished(t, p, s.publish(t, a), "one")
}

func TestPublish_RefusesForeignFunction(t *testing.T) {
	s, p := newStand(t), newProject()
	s.publish(t, artifactOf(t, p, platformtest.NewApp("one")))
	other := newProject()
	other.Slug = p.Slug
	a := artifactOf(t, other, platformtest.NewApp("two"))
	_, err := s.Publish(t.Context(), a, wanted(env(a)), t.Logf)
	wantCode(t, err, "function_name_taken")
}

// When AWS keeps refusing, the run ends with an error that names the resource and says what to
// do.
func TestPublish_ExplainsRefusal(t *testing.T) {
	s, p := newStand(t), newProject()
	s.route(t, p, s.publish(t, artifactOf(t, p, platformtest.NewApp("live"))), 1)
	for name, test := range map[string]struct {
		fault awstest.Fault
		code  string
		says  []string
	}{
		"a missing permission": {
			awstest.Fault{Operation: "Lambda.UpdateFunctionCode", Status: 403, Code: "AccessDeniedException", Message: "User: arn:aws:sts::1:assumed-role/deployer/x is not authorized to perform: lambda:UpdateFunctionCode"},
			"aws_denied", []string{"anchor-" + p.Slug + "-server", "lambda:UpdateFunctionCode"},
		},
		"a role it may not pass": {
			awstest.Fault{Operation: "Lambda.UpdateFunctionConfiguration", Status: 403, Code: "AccessDeniedException", Message: "User: arn:aws:sts::1:assumed-role/deployer/x is not authorized to perform: iam:PassRole on resource: r"},
			"aws_denied", []string{"iam:PassRole"},
		},
		"throttled for ever":   {awstest.Fault{Operation: "Lambda.PublishVersion", Status: 429, Code: "TooManyRequestsException"}, "aws_failed", []string{"anchor-" + p.Slug + "-server"}},
		"busy for ever":        {awstest.Fault{Operation: "Lambda.UpdateFunctionCode", Status: 409, Code: "ResourceConflictException"}, "function_unsettled", []string{"anchor-" + p.Slug + "-server"}},
		"a bucket that denies": {awstest.Fault{Operation: "S3.HeadObject", Status: 403, Code: "Forbidden"}, "aws_denied", []string{bucket, "s3:GetObject"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := artifactOf(t, p, platformtest.NewApp(anchor.NewID()))
			s.cloud.Wire.Break(test.fault)
			_, err := s.Publish(t.Context(), a, wanted(env(a)), t.Logf)
			s.cloud.Wire.Mend()
			wantCode(t, err, test.code)
			for _, word := range test.says {
				if err != nil && !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %q", err, word)
				}
			}
			s.want(t, p, anchor.LiveAlias, "/", "live")
			s.publish(t, a)
		})
	}
}

// writes returns the recorded calls that change something. A crash before a read leaves the same
// state as a crash after the preceding write.
func writes(calls []awstest.Call) []awstest.Fault {
	var points []awstest.Fault
	nth := map[string]int{}
	for _, call := range calls {
		nth[call.Operation]++
		_, operation, _ := strings.Cut(call.Operation, ".")
		if operation == "Invoke" { // warms a function up, for as long as a switch waits
			continue
		}
		if !strings.HasPrefix(operation, "Get") && !strings.HasPrefix(operation, "List") && !strings.HasPrefix(operation, "Head") {
			points = append(points, awstest.Fault{Operation: call.Operation, Nth: nth[call.Operation]})
		}
	}
	return points
}

// crashPoint is the call, one that changes something, before which a run ends.
type crashPoint struct {
	phase string // "making", "updating" or "routing"
	awstest.Fault
}

func (c crashPoint) name() string {
	return c.phase + "/" + c.Operation + strings.Repeat("'", c.Nth-1)
}

// TestPublish_Crash ends the process before each call that changes something: when a function is created,
// when it is updated and when it first goes live. Another process then repeats the operation.
func TestPublish_Crash(t *testing.T) {
	t.Parallel()
	inGroups(t, crashPoints(t), crashPoint.name, func(t *testing.T) func(*testing.T, crashPoint) {
		s, p := newStand(t), newProject()
		s.route(t, p, s.publish(t, artifactOf(t, p, platformtest.NewApp("one"))), 1)
		return func(t *testing.T, c crashPoint) {
			switch c.phase {
			case "making":
				s.wantAfterCrash(t, newProject(), c, "")
			case "updating":
				s.wantAfterCrash(t, p, c, "one")
			case "routing":
				s.wantRoutedAfterCrash(t, c)
			}
		}
	})
}

// crashPoints records the changing calls of the runs.
func crashPoints(t *testing.T) []crashPoint {
	t.Helper()
	s, p := open(t), newProject()
	app := platformtest.NewApp("one").With("revalidation-function/index.mjs", revalidation)
	var points []crashPoint
	var d anchor.Deployment
	for _, phase := range []struct {
		name string
		do   func()
	}{
		{"making", func() { s.publish(t, artifactOf(t, p, platformtest.NewApp("one"))) }},
		{"updating", func() { s.publish(t, artifactOf(t, p, platformtest.NewApp("two"))) }},
		{"", func() { d = s.publish(t, artifactOf(t, p, app)) }},
		{"routing", func() { s.route(t, p, d, 1) }},
	} {
		record := s.cloud.Wire.Record()
		phase.do()
		for _, fault := range writes(record()) {
			if phase.name != "" {
				points = append(points, crashPoint{phase.name, fault})
			}
		}
	}
	if len(points) < 20 {
		t.Fatalf("the runs changed too little: %v", points)
	}
	return points
}

const revalidation = `export const handler = async () => ({ batchItemFailures: [] });`

// crash runs do up to the call of point. Neither that call nor any later one is made.
func (s *stand) crash(t *testing.T, point crashPoint, do func(context.Context) error) {
	t.Helper()
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	point.Do = kill
	s.cloud.Wire.Break(point.Fault)
	defer s.cloud.Wire.Mend()
	if err := do(ctx); err == nil {
		t.Errorf("it did not come to %s", point.name())
	}
}

func (s *stand) wantAfterCrash(t *testing.T, p anchor.Project, point crashPoint, live string) {
	t.Helper()
	app := platformtest.NewApp(anchor.NewID())
	a := artifactOf(t, p, app)
	s.crash(t, point, func(ctx context.Context) error {
		_, err := s.Publish(ctx, a, wanted(env(a)), t.Logf)
		return err
	})
	if live != "" {
		s.want(t, p, anchor.LiveAlias, "/", live)
	}
	again := s.open()
	versions, err := again.Publish(t.Context(), a, wanted(env(a)), t.Logf)
	must(t, err)
	d := a.Deployment
	d.Functions = versions
	s.wantPublished(t, p, d, app["assets/BUILD_ID"])
	if live != "" {
		s.want(t, p, anchor.LiveAlias, "/", live)
	}
	same, err := again.Publish(t.Context(), a, wanted(env(a)), t.Logf)
	must(t, err)
	if !reflect.DeepEqual(same, versions) {
		t.Errorf("a further run returns %v, not %v", same, versions)
	}
}

func (s *stand) wantRoutedAfterCrash(t *testing.T, point crashPoint) {
	t.Helper()
	p := newProject()
	d := s.publish(t, artifactOf(t, p, platformtest.NewApp("one").With("revalidation-function/index.mjs", revalidation)))
	s.crash(t, point, func(ctx context.Context) error { return s.Follow(ctx, p, d, liveOf(d, 1)) })
	must(t, s.open().Follow(t.Context(), p, d, liveOf(d, 1)))
	s.want(t, p, anchor.LiveAlias, "/", "one")
	s.wantMapped(t, p)
}

// wantMapped asserts that the queue starts the live revalidation function, once.
func (s *stand) wantMapped(t *testing.T, p anchor.Project) {
	t.Helper()
	function := "anchor-" + p.Slug + "-revalidate"
	out, err := s.Lambda.ListEventSourceMappings(t.Context(), &lambda.ListEventSourceMappingsInput{FunctionName: &function})
	must(t, err)
	if len(out.EventSourceMappings) != 1 || !strings.HasSuffix(sdk.ToString(out.EventSourceMappings[0].FunctionArn), ":"+function+":live") ||
		!reflect.DeepEqual(out.EventSourceMappings[0].FunctionResponseTypes, []types.FunctionResponseType{types.FunctionResponseTypeReportBatchItemFailures}) {
		t.Errorf("the mappings are %+v", out.EventSourceMappings)
	}
}
