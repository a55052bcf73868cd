package dynamo

import (
	"context"
	"fmt"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

// SwitchRecords returns a deployment, or NotFound, and the project's pointer, its zero value before the
// first release, in one consistent call. The call reads the project's note, too, which the next Note of
// the project returns without another call.
func (s *Store) SwitchRecords(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID) (anchor.Deployment, anchor.Live, error) {
	const what = "read what a switch needs"
	none := anchor.Live{ProjectID: p}
	record, live, note := s.t.recordKey(id), s.t.liveKey(p), s.t.noteKey(p)
	if len(record.pk) > 2048 {
		return anchor.Deployment{}, none, records.NoDeployment(id) // DynamoDB refuses such a key, see getItem
	}
	found, err := s.loadEach(ctx, what, record, live, note)
	if err != nil {
		return anchor.Deployment{}, none, err
	}
	s.notes.keep(p, strOf(found[note], noteAttr))
	if found[live] != nil {
		if none, err = readLive(found[live]); err != nil {
			return anchor.Deployment{}, none, err
		}
	}
	if found[record] == nil {
		return anchor.Deployment{}, none, records.NoDeployment(id)
	}
	d, err := readDeployment(found[record])
	return d, none, err
}

// loadEach reads a few items of any tables, consistently. Those that do not exist are missing in the result.
func (s *Store) loadEach(ctx context.Context, what string, all ...address) (map[address]item, error) {
	found := map[address]item{}
	request := map[string]types.KeysAndAttributes{}
	for _, a := range all {
		keys := request[a.table]
		keys.ConsistentRead = sdk.Bool(true)
		keys.Keys = append(keys.Keys, a.keyItem())
		request[a.table] = keys
	}
	for turn := (pause{what: what}); len(request) > 0; {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		out, err := s.db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: request})
		if err != nil {
			return nil, explainError(what, err)
		}
		for table, items := range out.Responses {
			for _, it := range items {
				found[address{table, strOf(it, pk), strOf(it, sk)}] = it
			}
		}
		if request = out.UnprocessedKeys; len(request) > 0 {
			if err := turn.wait(ctx, nil); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}
