package awswire_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/local/isr/awswire"
)

type attributes = map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func number(n int) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: fmt.Sprint(n)}
}

func row(tag, path string, revalidatedAt int) attributes {
	return attributes{"tag": text(tag), "path": text(path), "revalidatedAt": number(revalidatedAt)}
}

func TestQuery_TagsByPathAndByTag(t *testing.T) {
	client := newServer(t).dynamodb("one")
	withExpiry := row("B/t1", "B/p1", 3000)
	withExpiry["stale"], withExpiry["expire"] = number(3000), number(9000)
	writeTags(t, client, row("B/_N_T_/layout", "B/p1", 1), row("B/_N_T_/layout", "B/p2", 1), withExpiry)

	for name, c := range map[string]struct {
		query dynamodb.QueryInput
		want  []string
	}{
		"getByPath":        {query("revalidate", "path", "B/p1", -1), []string{"B/_N_T_/layout B/p1 1", "B/t1 B/p1 3000"}},
		"getByTag":         {query("", "tag", "B/_N_T_/layout", -1), []string{"B/_N_T_/layout B/p1 1", "B/_N_T_/layout B/p2 1"}},
		"getLastModified":  {query("revalidate", "path", "B/p1", 2999), []string{"B/t1 B/p1 3000"}},
		"not after itself": {query("revalidate", "path", "B/p1", 3000), nil},
		"unknown path":     {query("revalidate", "path", "B/p3", -1), nil},
	} {
		out, err := client.Query(t.Context(), &c.query)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, summaries(out.Items)); diff != "" || int(out.Count) != len(c.want) {
			t.Errorf("%s: count %d, %s", name, out.Count, diff)
		}
	}
	q := query("revalidate", "path", "B/p1", 2999)
	out, err := client.Query(t.Context(), &q)
	if err != nil || len(out.Items[0]) != 5 || out.Items[0]["expire"].(*types.AttributeValueMemberN).Value != "9000" {
		t.Errorf("the further attributes are lost: %v, %v", out.Items, err)
	}
}

// A tag that may be served stale for a while makes OpenNext render at once unless its expiry reads
// as past; see hideExpiryAhead.
func TestQuery_TagThatExpiresLaterIsStale(t *testing.T) {
	client := newServer(t).dynamodb("one")
	now := int(time.Now().UnixMilli())
	expiring := func(tag string, at int) attributes {
		r := row("B/"+tag, "B/p", now)
		r["stale"], r["expire"] = number(now), number(at)
		return r
	}
	writeTags(t, client, expiring("expired", now-1), expiring("max", now+3600_000), row("B/plain", "B/p", now))
	for name, c := range map[string]struct {
		after int
		want  map[string]string
	}{
		"what was revalidated since": {now - 1, map[string]string{"B/expired": fmt.Sprint(now - 1), "B/max": "0", "B/plain": ""}},
		"all tags of the path":       {-1, map[string]string{"B/expired": fmt.Sprint(now - 1), "B/max": fmt.Sprint(now + 3600_000), "B/plain": ""}},
	} {
		q := query("revalidate", "path", "B/p", c.after)
		out, err := client.Query(t.Context(), &q)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, item := range out.Items {
			expire, _ := item["expire"].(*types.AttributeValueMemberN)
			if expire == nil {
				expire = &types.AttributeValueMemberN{}
			}
			got[item["tag"].(*types.AttributeValueMemberS).Value] = expire.Value
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestWrite_RevalidationReplacesRow(t *testing.T) {
	client := newServer(t).dynamodb("one")
	writeTags(t, client, row("B/t1", "B/p1", 1))
	writeTags(t, client, row("B/t1", "B/p1", 5000))
	q := query("", "tag", "B/t1", -1)
	out, err := client.Query(t.Context(), &q)
	if err != nil || !cmp.Equal(summaries(out.Items), []string{"B/t1 B/p1 5000"}) {
		t.Errorf("%v, %v", summaries(out.Items), err)
	}
}

func TestBatchGet_NextMode(t *testing.T) {
	client := newServer(t).dynamodb("one")
	writeTags(t, client, row("B/_tag/a", "B/_tag/a", 10), row("B/_tag/b", "B/_tag/b", 20))
	var keys []attributes
	for _, tag := range []string{"B/_tag/b", "B/_tag/none", "B/_tag/a"} {
		keys = append(keys, attributes{"tag": text(tag), "path": text(tag)})
	}
	out, err := client.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{awswire.Table: {Keys: keys}}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"B/_tag/b B/_tag/b 20", "B/_tag/a B/_tag/a 10"}
	if diff := cmp.Diff(want, summaries(out.Responses[awswire.Table])); diff != "" {
		t.Error(diff)
	}
}

// The multi-tier cache keeps rows without revalidatedAt, which the path index must leave out.
func TestBatchWrite_MultiTierItems(t *testing.T) {
	client := newServer(t).dynamodb("one")
	key := attributes{"tag": text("__meta_B_/isr"), "path": text("__meta_B_/isr")}
	out, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String(awswire.Table), Key: key})
	if err != nil || len(out.Item) != 0 {
		t.Fatalf("%v, %v", out, err)
	}
	deleted := attributes{"tag": key["tag"], "path": key["path"], "deleted": &types.AttributeValueMemberBOOL{Value: true}}
	if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(awswire.Table), Item: deleted}); err != nil {
		t.Fatal(err)
	}
	out, err = client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String(awswire.Table), Key: key})
	if err != nil || len(out.Item) != 3 || !out.Item["deleted"].(*types.AttributeValueMemberBOOL).Value {
		t.Fatalf("%v, %v", out, err)
	}
	q := query("revalidate", "path", "__meta_B_/isr", -1)
	if found, err := client.Query(t.Context(), &q); err != nil || found.Count != 0 {
		t.Errorf("the index holds it: %v, %v", found, err)
	}
}

func TestBatchWrite_DeleteRequests(t *testing.T) {
	client := newServer(t).dynamodb("one")
	writeTags(t, client, row("a", "p", 1), row("b", "p", 1))
	_, err := client.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{awswire.Table: {
		{DeleteRequest: &types.DeleteRequest{Key: attributes{"tag": text("a"), "path": text("p")}}},
		{PutRequest: &types.PutRequest{Item: row("c", "p", 2)}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	q := query("revalidate", "path", "p", -1)
	out, err := client.Query(t.Context(), &q)
	if err != nil || !cmp.Equal(summaries(out.Items), []string{"b p 1", "c p 2"}) {
		t.Errorf("%v, %v", summaries(out.Items), err)
	}
}

func TestDynamoDB_Refuses(t *testing.T) {
	s := newServer(t)
	client := s.dynamodb("one")
	var tooMany []attributes
	for n := range 26 {
		tooMany = append(tooMany, row("t", fmt.Sprint(n), 1))
	}
	odd := query("revalidate", "path", "p", -1)
	odd.KeyConditionExpression = aws.String("begins_with(#key, :key)")
	filtered := query("revalidate", "path", "p", -1)
	filtered.FilterExpression = aws.String("size(tag) > :key")
	wrongIndex := query("revalidate", "tag", "t", -1)
	elsewhere := query("", "tag", "t", -1)
	elsewhere.TableName = aws.String("not-mine")
	for name, c := range map[string]struct {
		err        error
		code, says string
	}{
		"26 writes":        {write(t, client, tooMany...), "ValidationException", "25"},
		"the same twice":   {write(t, client, row("t", "p", 1), row("t", "p", 2)), "ValidationException", "duplicates"},
		"no path":          {write(t, client, attributes{"tag": text("t")}), "ValidationException", "path"},
		"a textual number": {write(t, client, attributes{"tag": text("t"), "path": text("p"), "revalidatedAt": text("1")}), "ValidationException", "revalidatedAt"},
		"odd expression":   {queryError(t, client, odd), "ValidationException", "begins_with(#key, :key)"},
		"a filter":         {queryError(t, client, filtered), "ValidationException", "FilterExpression"},
		"the wrong index":  {queryError(t, client, wrongIndex), "ValidationException", "revalidate"},
		"another table":    {queryError(t, client, elsewhere), "ResourceNotFoundException", "not-mine"},
		"an unknown key":   {queryError(t, dynamodb.NewFromConfig(configWith(s.endpoint, "AKID", "s")), elsewhere), "UnrecognizedClientException", "access key"},
		"another operation": {func() error {
			_, err := client.ListTables(t.Context(), &dynamodb.ListTablesInput{})
			return err
		}(), "UnknownOperationException", "ListTables"},
	} {
		var api smithy.APIError
		if !errors.As(c.err, &api) || api.ErrorCode() != c.code || !strings.Contains(api.ErrorMessage(), c.says) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
}

func query(index, attribute, val string, after int) dynamodb.QueryInput {
	in := dynamodb.QueryInput{
		TableName:                 aws.String(awswire.Table),
		KeyConditionExpression:    aws.String("#key = :key"),
		ExpressionAttributeNames:  map[string]string{"#key": attribute},
		ExpressionAttributeValues: attributes{":key": text(val)},
	}
	if index != "" {
		in.IndexName = aws.String(index)
	}
	if after >= 0 {
		in.KeyConditionExpression = aws.String("#key = :key AND #revalidatedAt > :lastModified")
		in.ExpressionAttributeNames["#revalidatedAt"] = "revalidatedAt"
		in.ExpressionAttributeValues[":lastModified"] = number(after)
	}
	return in
}

func queryError(t *testing.T, client *dynamodb.Client, in dynamodb.QueryInput) error {
	_, err := client.Query(t.Context(), &in)
	return err
}

func write(t *testing.T, client *dynamodb.Client, rows ...attributes) error {
	var requests []types.WriteRequest
	for _, r := range rows {
		requests = append(requests, types.WriteRequest{PutRequest: &types.PutRequest{Item: r}})
	}
	_, err := client.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{awswire.Table: requests}})
	return err
}

func writeTags(t *testing.T, client *dynamodb.Client, rows ...attributes) {
	t.Helper()
	if err := write(t, client, rows...); err != nil {
		t.Fatal(err)
	}
}

func summaries(items []attributes) []string {
	var found []string
	for _, i := range items {
		found = append(found, fmt.Sprint(i["tag"].(*types.AttributeValueMemberS).Value, " ",
			i["path"].(*types.AttributeValueMemberS).Value, " ", i["revalidatedAt"].(*types.AttributeValueMemberN).Value))
	}
	return found
}
