package aws_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// TestRemoveProject removes a project after its record, in a process that does not know it.
// Another project, whose slug begins with the same characters, keeps everything.
func TestRemoveProject(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.deploy(t, twoFunctions("one").Tagged())
	s.deploy(t, twoFunctions("two"))
	next := &shop{s.installation, anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "shop-two"}}
	must(t, s.store.CreateProject(t.Context(), next.project))
	kept := next.deploy(t, platformtest.NewApp("kept"))

	must(t, s.store.DeleteProject(t.Context(), s.project.ID))
	for again := range 2 {
		p := s.process(t, s.Config())
		for attempt := 0; ; attempt++ {
			err := p.RemoveProject(t.Context(), s.project.ID)
			if err == nil {
				break
			}
			if anchor.KindOf(err) != anchor.KindBusy || attempt == 20 {
				t.Fatalf("time %d: %v", again, err)
			}
		}
	}
	for what, left := range map[string]string{
		"functions":     s.CLI(t, "lambda", "list-functions", "--query", "Functions[].FunctionName", "--output", "text"),
		"queues":        s.queues(t),
		"stores":        s.CLI(t, "cloudfront", "list-key-value-stores", "--query", "KeyValueStoreList.Items[].Name", "--output", "text"),
		"distributions": s.CLI(t, "cloudfront", "list-distributions", "--query", "DistributionList.Items[].Comment", "--output", "text"),
		"objects":       s.CLI(t, "s3api", "list-objects-v2", "--bucket", assetsBucket, "--query", "Contents[].Key", "--output", "text"),
		"tables":        s.CLI(t, "dynamodb", "list-tables", "--query", "TableNames", "--output", "text"),
	} {
		for name := range strings.FieldsSeq(left) {
			mine := strings.Contains(name, string(s.project.ID)) || strings.HasPrefix(name, "anchor-tags-") && !strings.Contains(name, string(kept.ID))
			shops := strings.Contains(name, "anchor-shop") && !strings.Contains(name, "anchor-shop-two")
			if mine || shops {
				t.Errorf("of the %s there is left %s", what, name)
			}
		}
	}
	next.wantLive(t, kept, "kept")
}

// queues asks for the queues by the SDK, because the CLI uses another endpoint for SQS.
func (s *shop) queues(t *testing.T) string {
	t.Helper()
	out, err := sqs.NewFromConfig(s.Config()).ListQueues(t.Context(), &sqs.ListQueuesInput{})
	must(t, err)
	return strings.Join(out.QueueUrls, " ")
}

// TestRemove_FirstDeploymentNeverLive: its versions are those of the live aliases, which were
// created with it.
func TestRemove_FirstDeploymentNeverLive(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	bad := s.artifact(t, twoFunctions("bad"))
	platformtest.Publish(t, s.platform, bad)
	must(t, s.platform.Remove(t.Context(), bad.Deployment))
	must(t, s.platform.Remove(t.Context(), bad.Deployment))
	good := s.deploy(t, twoFunctions("good"))
	s.wantLive(t, good, "good")
	_, host := s.platform.Hosts(s.project, bad.Deployment.ID)
	if got := s.page(t, host, "/"); got == "bad" {
		t.Error("the removed deployment still answers")
	}
}

// TestSweep removes a project whose record is gone, and nothing of one that has a record.
func TestSweep(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.deploy(t, twoFunctions("gone"))
	next := &shop{s.installation, anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "shop-two"}}
	must(t, s.store.CreateProject(t.Context(), next.project))
	kept := next.deploy(t, platformtest.NewApp("kept"))
	must(t, s.platform.Sweep(t.Context()))
	if got := s.CLI(t, "lambda", "list-functions", "--query", "Functions[].FunctionName"); !strings.Contains(got, "anchor-shop-server") {
		t.Fatalf("of a project that is there it took the functions: %s", got)
	}
	must(t, s.store.DeleteProject(t.Context(), s.project.ID))
	for attempt := 0; ; attempt++ {
		err := s.process(t, s.Config()).Sweep(t.Context())
		if err == nil {
			break
		}
		if anchor.KindOf(err) != anchor.KindBusy || attempt == 20 {
			t.Fatal(err)
		}
	}
	left := s.CLI(t, "lambda", "list-functions", "--query", "Functions[].FunctionName", "--output", "text") +
		s.CLI(t, "s3api", "list-objects-v2", "--bucket", assetsBucket, "--query", "Contents[].Key", "--output", "text")
	if strings.Contains(left, string(s.project.ID)) || strings.Contains(left, "anchor-shop-server") {
		t.Errorf("there is left %s", left)
	}
	next.wantLive(t, kept, "kept")
}

// loseRecords replaces the tables with empty ones, as after a restore of the wrong table or to an
// earlier time.
func (in *installation) loseRecords(t *testing.T) {
	t.Helper()
	for _, name := range []string{tables.Projects, tables.Deployments, tables.Domains} {
		_, err := dynamodb.NewFromConfig(in.Config()).DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &name})
		must(t, err)
	}
	in.makeTables(t)
}

// everything lists all resources of sites in the account.
func (s *shop) everything(t *testing.T) string {
	t.Helper()
	return s.CLI(t, "lambda", "list-functions", "--query", "Functions[].FunctionName", "--output", "text") +
		s.CLI(t, "s3api", "list-objects-v2", "--bucket", assetsBucket, "--query", "Contents[].Key", "--output", "text") +
		s.CLI(t, "s3api", "list-objects-v2", "--bucket", artifactsBucket, "--query", "Contents[].Key", "--output", "text") +
		s.CLI(t, "cloudfront", "list-distributions", "--query", "DistributionList.Items[].Comment", "--output", "text") +
		s.CLI(t, "cloudfront", "list-key-value-stores", "--query", "KeyValueStoreList.Items[].Name", "--output", "text")
}

// TestSweep_KeepsUnknown also asserts the log entry.
func TestSweep_KeepsUnknown(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.deploy(t, twoFunctions("live"))
	before := s.everything(t)
	s.loseRecords(t)
	var log bytes.Buffer
	unaware := s.with(t, func(c *aws.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	must(t, unaware.Sweep(t.Context()))
	if after := s.everything(t); after != before {
		t.Errorf("after a sweep without records there is %s, before there was %s", after, before)
	}
	if !strings.Contains(log.String(), string(s.project.ID)) {
		t.Errorf("the log does not name the project that the records do not know: %s", log.String())
	}
}

// TestSweep_KeepsSuccessorOfSameName: a deployment that ended late stored the slug of a removed project
// again. The next project has the same slug, so its functions have the same names.
func TestSweep_KeepsSuccessorOfSameName(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	gone := anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "old"}
	must(t, s.store.CreateProject(t.Context(), gone))
	must(t, s.store.DeleteProject(t.Context(), gone.ID))
	_, err := s.s3.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: sdk.String(assetsBucket), Key: sdk.String("projects/" + string(gone.ID) + "/slug"), Body: strings.NewReader(s.project.Slug),
	})
	must(t, err)
	live := s.deploy(t, platformtest.NewApp("live"))
	must(t, s.process(t, s.Config()).Sweep(t.Context()))
	s.wantLive(t, live, "live")
}
