package asset_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/anchor-deploy/anchor/internal/aws/asset"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

const tagsFile = "dynamodb-provider/dynamodb-cache.json"

// tagged returns an app with n cache entries and n tags.
func tagged(n int) platformtest.App {
	app := platformtest.NewApp("one")
	var rows []string
	for i := range n {
		app[fmt.Sprintf("cache/one/page-%04d.cache", i)] = fmt.Sprint("page ", i)
		rows = append(rows, fmt.Sprintf(`{"tag":{"S":"one/t%d"},"path":{"S":"one/p%d"},"revalidatedAt":{"N":"1"}}`, i, i))
	}
	return app.With(tagsFile, "["+strings.Join(append(rows, rows...), ",")+"]") // each row twice
}

func (s *stand) tags() *dynamodb.Client {
	config := s.cloud.Config()
	config.HTTPClient = &http.Client{Transport: awstest.WholeBodies(http.DefaultTransport)}
	return dynamodb.NewFromConfig(config)
}

func table(a deploy.Artifact) string {
	return "anchor-tags-" + string(a.Project.ID) + "-" + string(a.Deployment.ID)
}

// row returns what the table holds for a key, or "" when it holds nothing.
func (s *stand) row(t *testing.T, a deploy.Artifact, tag, path string) string {
	t.Helper()
	out, err := s.tags().GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: sdk.String(table(a)), Key: map[string]types.AttributeValue{"tag": text(tag), "path": text(path)},
	})
	must(t, err)
	if at, ok := out.Item["revalidatedAt"].(*types.AttributeValueMemberN); ok {
		return at.Value
	}
	return ""
}

func (s *stand) rows(t *testing.T, a deploy.Artifact) int {
	t.Helper()
	n := 0
	pages := dynamodb.NewScanPaginator(s.tags(), &dynamodb.ScanInput{TableName: sdk.String(table(a)), ConsistentRead: sdk.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		must(t, err)
		n += len(page.Items)
	}
	return n
}

func text(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }

func cached(a deploy.Artifact, name string) string {
	return "cache/" + string(a.Project.ID) + "/" + string(a.Deployment.ID) + "/" + name
}

func (s *stand) seed(t *testing.T, a deploy.Artifact) {
	t.Helper()
	must(t, s.Seed(t.Context(), a, s.note))
}

func TestSeed(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	a := s.unstored(t, tagged(60).With("cache/__fetch/one/57620d2e", "fetched"))
	must(t, s.Check(a))
	s.seed(t, a)
	env := s.Env(a)
	// The keys that OpenNext's buildS3Key makes of the variable.
	for name, want := range map[string]string{
		"one/index.cache": "seed of one", "one/page-0059.cache": "page 59", "__fetch/one/57620d2e": "fetched",
	} {
		if got := s.read(t, env["CACHE_BUCKET_KEY_PREFIX"]+"/"+name); got != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
	if n := s.rows(t, a); n != 60 {
		t.Errorf("the table has %d rows", n)
	}
	if got := s.row(t, a, "one/t7", "one/p7"); got != "1" {
		t.Errorf("the row says %q", got)
	}
	if !slices.Contains(s.notes, "62 entries, 60 tags") {
		t.Errorf("the notes are %q", s.notes)
	}
	want := map[string]string{
		"CACHE_BUCKET_NAME": assetsBucket, "CACHE_BUCKET_REGION": awstest.Region, "CACHE_DYNAMO_TABLE": table(a),
		"CACHE_BUCKET_KEY_PREFIX": strings.TrimSuffix(cached(a, ""), "/"),
	}
	if !maps.Equal(env, want) {
		t.Errorf("the environment is %v, want %v", env, want)
	}
}

func TestSeed_TagTableMatchesOpenNextQueries(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	a := s.unstored(t, tagged(3))
	s.seed(t, a)
	for after, want := range map[string]int32{"0": 1, "1": 0} { // getLastModified of overrides/tagCache/dynamodb.js
		out, err := s.tags().Query(t.Context(), &dynamodb.QueryInput{
			TableName: sdk.String(table(a)), IndexName: sdk.String("revalidate"),
			KeyConditionExpression:    sdk.String("#key = :key AND #revalidatedAt > :lastModified"),
			ExpressionAttributeNames:  map[string]string{"#key": "path", "#revalidatedAt": "revalidatedAt"},
			ExpressionAttributeValues: map[string]types.AttributeValue{":key": text("one/p1"), ":lastModified": &types.AttributeValueMemberN{Value: after}},
		})
		must(t, err)
		if out.Count != want {
			t.Errorf("after %s there are %d rows, want %d", after, out.Count, want)
		}
	}
	described, err := s.tags().DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: sdk.String(table(a))})
	must(t, err)
	if mode := described.Table.BillingModeSummary.BillingMode; mode != types.BillingModePayPerRequest {
		t.Errorf("the table is billed as %q", mode)
	}
	listed, err := s.tags().ListTagsOfResource(t.Context(), &dynamodb.ListTagsOfResourceInput{ResourceArn: described.Table.TableArn})
	must(t, err)
	got := map[string]string{}
	for _, tag := range listed.Tags {
		got[*tag.Key] = *tag.Value
	}
	if want := map[string]string{"Project": "shop", "ManagedBy": "anchor-deploy", "Installation": "anchor"}; !maps.Equal(got, want) {
		t.Errorf("the table's tags are %v, want %v", got, want)
	}
}

// TestSeed_TableWithoutTags deploys what a pages-router build makes: it has a tag cache,
// which the functions query for each cached page, and no dynamodb-cache.json.
func TestSeed_TableWithoutTags(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	a := s.unstored(t, platformtest.NewApp("one"))
	s.seed(t, a)
	if n := s.rows(t, a); n != 0 {
		t.Errorf("the table has %d rows", n)
	}
	if name := s.Env(a)["CACHE_DYNAMO_TABLE"]; name != table(a) {
		t.Errorf("the environment names the table %q, want %q", name, table(a))
	}
	must(t, s.Remove(t.Context(), s.project, a.Deployment.ID))
	if left := s.tables(t); slices.Contains(left, table(a)) {
		t.Errorf("the tables left are %q", left)
	}
}

func TestSeed_NoTagCacheNoTable(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	a := s.unstored(t, platformtest.NewApp("one"))
	a.Build.TagCache = false // as opennext.Parse reads disableTagCache
	calls := s.cloud.Wire.Record()
	s.seed(t, a)
	if n := count(calls(), "DynamoDB.CreateTable"); n != 0 {
		t.Error("a table was made")
	}
	if name, ok := s.Env(a)["CACHE_DYNAMO_TABLE"]; ok {
		t.Errorf("the environment names the table %q", name)
	}
	must(t, s.Remove(t.Context(), s.project, a.Deployment.ID))
}

func TestSeed_KeepsAppWrites(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	a := s.unstored(t, tagged(3))
	s.seed(t, a)
	s.write(t, assetsBucket, cached(a, "one/index.cache"), "rendered again")
	must(t, s.deleteKey(t, cached(a, "one/page-0001.cache")))
	_, err := s.tags().PutItem(t.Context(), &dynamodb.PutItemInput{TableName: sdk.String(table(a)), Item: map[string]types.AttributeValue{
		"tag": text("one/t1"), "path": text("one/p1"), "revalidatedAt": &types.AttributeValueMemberN{Value: "1700000000000"},
	}})
	must(t, err)

	calls := s.cloud.Wire.Record()
	s.seed(t, a)
	if got := calls(); len(got) != 1 {
		t.Errorf("seeding again calls\n%s", tally(got))
	}
	if got := s.read(t, cached(a, "one/index.cache")); got != "rendered again" {
		t.Errorf("the entry is %q", got)
	}
	if got := s.row(t, a, "one/t1", "one/p1"); got != "1700000000000" {
		t.Errorf("the row says %q", got)
	}
	if slices.Contains(s.keys(t, cached(a, "")), cached(a, "one/page-0001.cache")) {
		t.Error("the deleted entry is back")
	}
}

func TestSeed_NeverOverwritesEntry(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	a := s.unstored(t, tagged(1))
	// The list does not contain it, because it was written later.
	s.cloud.Wire.Break(awstest.Fault{Operation: "S3.PutObject", Nth: 1, Do: func() {
		s.write(t, assetsBucket, cached(a, "one/index.cache"), "rendered again")
		s.write(t, assetsBucket, cached(a, "one/page-0000.cache"), "rendered again")
	}})
	s.seed(t, a)
	for _, name := range []string{"one/index.cache", "one/page-0000.cache"} {
		if got := s.read(t, cached(a, name)); got != "rendered again" {
			t.Errorf("%s is %q", name, got)
		}
	}
}

func TestSeed_BrokenInput(t *testing.T) {
	cloud := awstest.MiniStack(t)
	for name, faults := range map[string][]awstest.Fault{
		"table there already": {{Operation: "DynamoDB.CreateTable", Nth: 1, After: true, Status: http.StatusInternalServerError, Code: "InternalServerError"}},
		"lost answers": {{Operation: "DynamoDB.CreateTable", Nth: 1, After: true}, {Operation: "DynamoDB.BatchWriteItem", Nth: 1, After: true},
			{Operation: "S3.PutObject", Nth: 1, After: true}},
		"table unknown at first": {{Operation: "DynamoDB.DescribeTable", Nth: 1, Status: http.StatusBadRequest, Code: "ResourceNotFoundException"}},
		"throttled": {{Operation: "DynamoDB.BatchWriteItem", Nth: 1, Status: http.StatusBadRequest, Code: "ProvisionedThroughputExceededException"},
			{Operation: "DynamoDB.CreateTable", Nth: 1, Status: http.StatusBadRequest, Code: "LimitExceededException"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, cloud)
			defer cloud.Wire.Mend()
			a := s.unstored(t, tagged(30))
			s.cloud.Wire.Break(faults...)
			s.seed(t, a)
			if n := s.rows(t, a); n != 30 {
				t.Errorf("the table has %d rows", n)
			}
			if n := len(s.keys(t, cached(a, "one/"))); n != 31 {
				t.Errorf("the cache has %d entries", n)
			}
		})
	}
}

// TestSeed_ConvergesAfterAnyInterruption ends the process at each of its calls in turn, before or after the call
// took effect. The next run finishes the work.
func TestSeed_ConvergesAfterAnyInterruption(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	for _, operation := range []string{"S3.ListObjectsV2", "S3.PutObject", "DynamoDB.CreateTable", "DynamoDB.DescribeTable", "DynamoDB.BatchWriteItem"} {
		for nth := 1; nth <= 3; nth++ {
			for _, after := range []bool{false, true} {
				a := s.unstored(t, tagged(30))
				ctx, kill := context.WithCancel(t.Context())
				s.cloud.Wire.Break(awstest.Fault{Operation: operation, Nth: nth, After: after, Do: kill, Hang: true})
				err := s.Seed(ctx, a, s.note)
				ended := ctx.Err() != nil
				kill()
				s.cloud.Wire.Mend()
				if ended == (err == nil) {
					t.Errorf("ended at %s %d it answers %v", operation, nth, err)
				}
				s.seed(t, a)
				if n, m := s.rows(t, a), len(s.keys(t, cached(a, "one/"))); n != 30 || m != 31 {
					t.Errorf("ended at %s %d and run again: %d rows, %d entries", operation, nth, n, m)
				}
			}
		}
	}
}

func TestSeed_RetriesUnprocessedTags(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	a := s.unstored(t, tagged(60))
	half := &halving{next: s.cloud.Wire}
	s.Assets = s.over(half)
	s.seed(t, a)
	if n := s.rows(t, a); n != 60 {
		t.Errorf("the table has %d rows", n)
	}
	if half.left() == 0 {
		t.Error("nothing was left unprocessed: the test tests nothing")
	}
}

func TestSeed_Refused(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	a := s.unstored(t, tagged(1))
	s.cloud.Wire.Break(awstest.Fault{Operation: "DynamoDB.CreateTable", Status: http.StatusBadRequest, Code: "AccessDeniedException", Message: "role/deploy may not"})
	err := s.Seed(t.Context(), a, s.note)
	wantCode(t, err, "access_denied")
	wantHint(t, err, "dynamodb:CreateTable on the table "+table(a))
	s.AssetsBucket = "nowhere"
	s.Assets = asset.New(s.Config)
	err = s.Seed(t.Context(), a, s.note)
	wantCode(t, err, "no_bucket")
	wantHint(t, err, "anchor aws bootstrap")
}

func TestSeed_BrokenTags(t *testing.T) {
	s := newStand(t, awstest.Shared(t))
	a := s.unstored(t, tagged(1).With(tagsFile, `[{"tag":`))
	calls := s.cloud.Wire.Record()
	wantCode(t, s.Seed(t.Context(), a, s.note), "bad_tags")
	if n := len(calls()); n != 0 {
		t.Errorf("%d calls were made", n)
	}
}
