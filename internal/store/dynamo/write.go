package dynamo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// change is what a transaction does to one item: put it, set some of its
// attributes, delete it, or only check a condition.
type change struct {
	at     address
	put    item
	set    item
	delete bool

	// when is the condition. "#name" in it is the attribute of that name.
	when   string
	values item
	// refused gives the error for a condition that does not hold; stored is nil
	// when the item is not there.
	refused func(stored item) error
}

const (
	isThere  = "attribute_exists(#pk)"
	notThere = "attribute_not_exists(#pk)"
)

// always makes an error that does not depend on what is stored.
func always(err error) func(item) error { return func(item) error { return err } }

var namePattern = regexp.MustCompile(`#\w+`)

func names(expression string) map[string]string {
	all := map[string]string{}
	for _, name := range namePattern.FindAllString(expression, -1) {
		all[name] = name[1:]
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

func optional(expression string) *string {
	if expression == "" {
		return nil
	}
	return sdk.String(expression)
}

func (c change) item() types.TransactWriteItem {
	const old = types.ReturnValuesOnConditionCheckFailureAllOld
	table, when := sdk.String(c.at.table), optional(c.when)
	switch {
	case c.put != nil:
		whole := c.at.key()
		maps.Copy(whole, c.put)
		return types.TransactWriteItem{Put: &types.Put{
			TableName: table, Item: whole, ConditionExpression: when, ExpressionAttributeNames: names(c.when),
			ExpressionAttributeValues: c.values, ReturnValuesOnConditionCheckFailure: old,
		}}
	case c.set != nil:
		expression, values := setExpression(c.set)
		maps.Copy(values, c.values)
		return types.TransactWriteItem{Update: &types.Update{
			TableName: table, Key: c.at.key(), UpdateExpression: sdk.String(expression), ConditionExpression: when,
			ExpressionAttributeNames: names(expression + " " + c.when), ExpressionAttributeValues: values,
			ReturnValuesOnConditionCheckFailure: old,
		}}
	case c.delete:
		return types.TransactWriteItem{Delete: &types.Delete{
			TableName: table, Key: c.at.key(), ConditionExpression: when, ExpressionAttributeNames: names(c.when),
			ExpressionAttributeValues: c.values, ReturnValuesOnConditionCheckFailure: old,
		}}
	}
	return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
		TableName: table, Key: c.at.key(), ConditionExpression: when, ExpressionAttributeNames: names(c.when),
		ExpressionAttributeValues: c.values, ReturnValuesOnConditionCheckFailure: old,
	}}
}

// setExpression sets what has a value and removes what is nil.
func setExpression(set item) (expression string, values item) {
	values = item{}
	var sets, removes []string
	for name, value := range set {
		if value == nil {
			removes = append(removes, "#"+name)
			continue
		}
		sets = append(sets, "#"+name+" = :set_"+name)
		values[":set_"+name] = value
	}
	if len(sets) > 0 {
		expression = "SET " + strings.Join(sets, ", ")
	}
	if len(removes) > 0 {
		expression += " REMOVE " + strings.Join(removes, ", ")
	}
	return strings.TrimSpace(expression), values
}

// transact makes all changes or none. A condition that does not hold is the error
// its change gives; of several the first one's. Where another transaction or the
// table's capacity is in the way, it tries again for a while.
func (s *Store) transact(ctx context.Context, what string, changes ...change) error {
	items := make([]types.TransactWriteItem, 0, len(changes))
	for _, c := range changes {
		items = append(items, c.item())
	}
	for turn := (pause{what: what}); ; {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		// A new input each time: the SDK puts its ClientRequestToken there.
		_, err := s.db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: items})
		canceled := (*types.TransactionCanceledException)(nil)
		if err == nil {
			return nil
		}
		if errors.As(err, &canceled) {
			if refused := refusal(changes, canceled.CancellationReasons); refused != nil {
				return refused
			}
		}
		if canceled == nil || !passing(canceled.CancellationReasons) {
			return explain(what, err)
		}
		if err := turn.wait(ctx, err); err != nil {
			return err
		}
	}
}

func refusal(changes []change, reasons []types.CancellationReason) error {
	for i, r := range reasons {
		if sdk.ToString(r.Code) == "ConditionalCheckFailed" && i < len(changes) {
			return changes[i].refused(r.Item)
		}
	}
	return nil
}

// passing reports whether a transaction was canceled for what passes by itself.
func passing(reasons []types.CancellationReason) bool {
	none := true
	for _, r := range reasons {
		switch sdk.ToString(r.Code) {
		case "None", "":
		case "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
			none = false
		default:
			return false
		}
	}
	return !none
}

// update changes one item outside of a transaction, to learn what became of it: for
// what can be done twice without harm. refused is the condition's error.
func (s *Store) update(ctx context.Context, what string, input *dynamodb.UpdateItemInput, refused func(stored item) error) (item, error) {
	input.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	for turn := (pause{what: what}); ; {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		out, err := s.db.UpdateItem(ctx, input)
		if err == nil {
			return out.Attributes, nil
		}
		if failed := (*types.ConditionalCheckFailedException)(nil); errors.As(err, &failed) {
			return nil, refused(failed.Item)
		}
		if conflict := (*types.TransactionConflictException)(nil); !errors.As(err, &conflict) {
			return nil, explain(what, err)
		}
		if err := turn.wait(ctx, err); err != nil {
			return nil, err
		}
	}
}

// maxBatchWrite is how many items one BatchWriteItem writes (DynamoDB API).
const maxBatchWrite = 25

// batch writes many items of one table, each by itself, in no order.
func (s *Store) batch(ctx context.Context, what, table string, all []types.WriteRequest) error {
	for rest := all; len(rest) > 0; {
		n := min(len(rest), maxBatchWrite)
		if err := s.batchSome(ctx, what, table, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

func (s *Store) batchSome(ctx context.Context, what, table string, some []types.WriteRequest) error {
	for turn := (pause{what: what}); ; {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		out, err := s.db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: some}})
		if err != nil {
			return explain(what, err)
		}
		left := out.UnprocessedItems[table]
		switch {
		case len(left) == 0:
			return nil
		case len(left) < len(some):
			turn.tries = 0 // it goes on, if slowly
		}
		if err := turn.wait(ctx, nil); err != nil {
			return err
		}
		some = left
	}
}

// deletion deletes an item whether it is there or not.
func deletion(key item) types.WriteRequest {
	return types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: key}}
}

// pause is the time between two tries of one call: longer each time, and of no
// fixed length, so that those who met do not meet again (full jitter).
type pause struct {
	what  string
	tries int
}

const (
	maxTries  = 12
	firstWait = 10 * time.Millisecond
	maxWait   = time.Second
)

// wait returns when to try again, or with the error that ends it.
func (p *pause) wait(ctx context.Context, cause error) error {
	if p.tries++; p.tries >= maxTries {
		return busy(p.what, cause)
	}
	longest := min(firstWait<<p.tries, maxWait)
	timer := time.NewTimer(time.Duration(rand.Int64N(int64(longest))))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", p.what, ctx.Err())
	}
}
