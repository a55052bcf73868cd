package asset

import (
	"context"
	"io/fs"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/retry"
)

const (
	mostBatched   = 25 // items that BatchWriteItem accepts
	batchParallel = 8
)

// batches is the retry policy for what DynamoDB leaves unwritten.
var batches = retry.Policy{First: 50 * time.Millisecond, Longest: 2 * time.Second, Calls: 10}

// tagRow is a row of the tag table.
type tagRow = opennext.TagRow

// tagRows returns the initial rows of the table, each key once: BatchWriteItem refuses a batch
// that names one twice.
func tagRows(tree fs.FS, b anchor.Build) ([]tagRow, error) {
	rows, err := opennext.TagsOf(tree, b)
	if err != nil {
		return nil, err
	}
	seen := make(map[[2]string]bool, len(rows))
	unique := rows[:0]
	for _, row := range rows {
		row = row.For(b)
		if key := [2]string{row.Tag, row.Path}; !seen[key] {
			seen[key] = true
			unique = append(unique, row)
		}
	}
	return unique, nil
}

// fillTable writes the rows. They may replace existing ones: until the cache is marked as seeded, only
// an earlier run of Seed has written.
func (s *Assets) fillTable(ctx context.Context, table string, rows []tagRow) error {
	g, running := errgroup.WithContext(ctx)
	g.SetLimit(batchParallel)
	for batch := range slices.Chunk(rows, mostBatched) {
		if running.Err() != nil {
			break
		}
		g.Go(func() error {
			writes := make([]types.WriteRequest, len(batch))
			for i, row := range batch {
				writes[i].PutRequest = &types.PutRequest{Item: tagItem(row)}
			}
			return s.writeBatch(running, table, writes)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// tagItem formats a row as OpenNext does (overrides/tagCache/dynamodb.js).
func tagItem(row tagRow) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"tag":           &types.AttributeValueMemberS{Value: row.Tag},
		"path":          &types.AttributeValueMemberS{Value: row.Path},
		"revalidatedAt": &types.AttributeValueMemberN{Value: strconv.FormatInt(row.RevalidatedAt, 10)},
	}
}

// writeBatch retries what DynamoDB returns as unprocessed, which is how it throttles a batch (API
// BatchWriteItem: "we strongly recommend an exponential backoff").
func (s *Assets) writeBatch(ctx context.Context, table string, writes []types.WriteRequest) error {
	return retry.Do(ctx, batches, func() error {
		out, err := s.DynamoDB.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{table: writes},
		})
		if err != nil {
			return s.tableFailed(err, "write tags to", table)
		}
		if writes = out.UnprocessedItems[table]; len(writes) == 0 {
			return nil
		}
		return retry.Again(anchor.Failed("tags_throttled", "DynamoDB did not write %d tags of the table %s in %d attempts", len(writes), table, batches.Calls).
			Hintf("Deploy again in a minute; the account's write limit for on-demand tables may be in use."))
	})
}
