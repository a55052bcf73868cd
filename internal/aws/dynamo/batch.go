package dynamo

import (
	"context"
	"fmt"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// maxBatchGet is how many items one BatchGetItem reads (DynamoDB API).
const maxBatchGet = 100

// loadItems reads many items of one table, consistently, in the order of their addresses. It omits
// those that do not exist.
func (s *Store) loadItems(ctx context.Context, what string, all []address) ([]item, error) {
	found := make(map[address]item, len(all))
	for rest := all; len(rest) > 0; {
		n := min(len(rest), maxBatchGet)
		if err := s.loadBatch(ctx, what, rest[:n], found); err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	items := make([]item, 0, len(all))
	for _, a := range all {
		if it, there := found[a]; there {
			items = append(items, it)
		}
	}
	return items, nil
}

func (s *Store) loadBatch(ctx context.Context, what string, some []address, found map[address]item) error {
	table := some[0].table
	keys := make([]item, 0, len(some))
	for _, a := range some {
		keys = append(keys, a.keyItem())
	}
	request := map[string]types.KeysAndAttributes{table: {Keys: keys, ConsistentRead: sdk.Bool(true)}}
	for turn := (pause{what: what}); len(request) > 0; {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		out, err := s.db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: request})
		if err != nil {
			return explainError(what, err)
		}
		for _, it := range out.Responses[table] {
			found[address{table, strOf(it, pk), strOf(it, sk)}] = it
		}
		// An answer holds at most 16 MB, and no more than the table's present capacity allows.
		left := out.UnprocessedKeys
		if len(left[table].Keys) < len(request[table].Keys) {
			turn.tries = 0
		} else if err := turn.wait(ctx, nil); err != nil {
			return err
		}
		request = left
	}
	return nil
}

// maxBatchWrite is how many items one BatchWriteItem writes (DynamoDB API).
const maxBatchWrite = 25

// writeBatches writes many items of one table, each by itself and in any order.
func (s *Store) writeBatches(ctx context.Context, what, table string, all []types.WriteRequest) error {
	for rest := all; len(rest) > 0; {
		n := min(len(rest), maxBatchWrite)
		if err := s.writeBatch(ctx, what, table, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

func (s *Store) writeBatch(ctx context.Context, what, table string, some []types.WriteRequest) error {
	for turn := (pause{what: what}); ; {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		out, err := s.db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: some}})
		if err != nil {
			return explainError(what, err)
		}
		left := out.UnprocessedItems[table]
		switch {
		case len(left) == 0:
			return nil
		case len(left) < len(some):
			turn.tries = 0 // it makes progress, if slowly
		}
		if err := turn.wait(ctx, nil); err != nil {
			return err
		}
		some = left
	}
}

// deleteRequest deletes an item whether it exists or not.
func deleteRequest(key item) types.WriteRequest {
	return types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: key}}
}

// putRequest puts an item that consists of its key.
func putRequest(at address) types.WriteRequest {
	return types.WriteRequest{PutRequest: &types.PutRequest{Item: at.keyItem()}}
}
