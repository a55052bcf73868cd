package dynamo

import (
	"context"
	"fmt"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// getItem reads one item, consistently. It returns nil when there is none.
func (s *Store) getItem(ctx context.Context, what string, a address) (item, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if len(a.pk) > 2048 || len(a.sk) > 1024 {
		return nil, nil // DynamoDB refuses such a key (DynamoDB quotas, "Partition keys and sort keys")
	}
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: sdk.String(a.table), Key: a.keyItem(), ConsistentRead: sdk.Bool(true),
	})
	if err != nil {
		return nil, explainError(what, err)
	}
	return out.Item, nil
}

// span is the items of one partition whose sort keys lie between two keys, both included.
type span struct {
	table, pk, from, to string

	index  bool // of the hostnames that are due
	newest bool // the greatest first
	limit  int  // 0 means all
}

// withPrefix is the span of all items whose sort key begins with prefix.
func withPrefix(table, pk, prefix string) span {
	return span{table: table, pk: pk, from: prefix, to: prefix + "\U0010ffff"}
}

// wholePartition is the span of all items of the partition: every sort key begins with a letter.
func wholePartition(table, pk string) span { return span{table: table, pk: pk, from: "!", to: "~"} }

// newestBefore is like withPrefix, greatest first, starting below prefix+id.
func newestBefore(table, pk, prefix, id string) span {
	return span{table: table, pk: pk, from: prefix, to: prefix + id, newest: true}
}

// queryAll reads the span, consistently except from the index. A page may end anywhere, so it reads
// pages until there are no more or the limit is reached.
func (s *Store) queryAll(ctx context.Context, what string, q span) ([]item, error) {
	var found []item
	input := q.queryInput()
	for {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		out, err := s.db.Query(ctx, input)
		if err != nil {
			return nil, explainError(what, err)
		}
		found = append(found, out.Items...)
		if q.limit > 0 && len(found) >= q.limit {
			return found[:q.limit], nil
		}
		if len(out.LastEvaluatedKey) == 0 {
			return found, nil
		}
		input.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

func (q span) queryInput() *dynamodb.QueryInput {
	input := &dynamodb.QueryInput{
		TableName:                 sdk.String(q.table),
		KeyConditionExpression:    sdk.String("#hash = :hash AND #sort BETWEEN :from AND :to"),
		ExpressionAttributeNames:  map[string]string{"#hash": pk, "#sort": sk},
		ExpressionAttributeValues: item{":hash": stringValue(q.pk), ":from": stringValue(q.from), ":to": stringValue(q.to)},
		ScanIndexForward:          sdk.Bool(!q.newest),
		ConsistentRead:            sdk.Bool(!q.index),
	}
	if q.index {
		input.IndexName = sdk.String(dueIndex)
		input.ExpressionAttributeNames = map[string]string{"#hash": duePK, "#sort": dueSK}
	}
	if q.limit > 0 {
		input.Limit = sdk.Int32(int32(q.limit))
	}
	return input
}
