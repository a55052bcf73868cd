package dynamo

import (
	"context"
	"errors"
	"fmt"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// writeTransaction makes all changes or none. When conditions do not hold, the error is that of the first
// such change. When another transaction or the table's capacity is in the way, it retries for a
// while.
func (s *Store) writeTransaction(ctx context.Context, what string, changes ...change) error {
	items := make([]types.TransactWriteItem, 0, len(changes))
	for _, c := range changes {
		items = append(items, c.writeItem())
	}
	for turn := (pause{what: what}); ; {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		// A new input for each attempt, because the SDK sets its ClientRequestToken.
		_, err := s.db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: items})
		canceled := (*types.TransactionCanceledException)(nil)
		if err == nil {
			return nil
		}
		if errors.As(err, &canceled) {
			if refused := firstRefusal(changes, canceled.CancellationReasons); refused != nil {
				return refused
			}
		}
		if canceled == nil || !isTemporary(canceled.CancellationReasons) {
			return explainError(what, err)
		}
		if err := turn.wait(ctx, err); err != nil {
			return err
		}
	}
}

func firstRefusal(changes []change, reasons []types.CancellationReason) error {
	for i, r := range reasons {
		if sdk.ToString(r.Code) == "ConditionalCheckFailed" && i < len(changes) {
			return changes[i].refused(r.Item)
		}
	}
	return nil
}

// isTemporary reports whether a transaction was canceled for a temporary reason.
func isTemporary(reasons []types.CancellationReason) bool {
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

// updateItem changes one item outside a transaction and returns the result. Use it for what can be
// repeated without harm. refused returns the error of the condition.
func (s *Store) updateItem(ctx context.Context, what string, input *dynamodb.UpdateItemInput, refused func(stored item) error) (item, error) {
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
			return nil, explainError(what, err)
		}
		if err := turn.wait(ctx, err); err != nil {
			return nil, err
		}
	}
}
