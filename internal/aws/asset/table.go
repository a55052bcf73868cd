package asset

import (
	"context"
	"errors"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// tagIndex is the name that OpenNext's code uses for the index by path.
const tagIndex = "revalidate"

// tablePatience bounds the wait for a table, which takes AWS about ten seconds.
const tablePatience = 3 * time.Minute

// makeTable creates the deployment's tag table if it does not exist, and writes the rows.
func (s *Assets) makeTable(ctx context.Context, a deploy.Artifact, rows []tagRow) error {
	table := s.tableName(a.Project.ID, a.Deployment.ID)
	_, err := s.DynamoDB.CreateTable(ctx, s.tableInput(table, a.Project))
	if inUse := (*types.ResourceInUseException)(nil); err != nil && !errors.As(err, &inUse) {
		return s.tableFailed(err, "make", table)
	}
	if err := s.awaitTable(ctx, table); err != nil {
		return err
	}
	return s.fillTable(ctx, table, rows)
}

// tableInput describes the table that OpenNext's tag caches read and write.
func (s *Assets) tableInput(table string, p anchor.Project) *dynamodb.CreateTableInput {
	attribute := func(name string, t types.ScalarAttributeType) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: &name, AttributeType: t}
	}
	key := func(hash, sort string) []types.KeySchemaElement {
		return []types.KeySchemaElement{
			{AttributeName: &hash, KeyType: types.KeyTypeHash}, {AttributeName: &sort, KeyType: types.KeyTypeRange},
		}
	}
	tag := func(name, value string) types.Tag { return types.Tag{Key: &name, Value: &value} }
	return &dynamodb.CreateTableInput{
		TableName:   &table,
		BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			attribute("tag", types.ScalarAttributeTypeS),
			attribute("path", types.ScalarAttributeTypeS),
			attribute("revalidatedAt", types.ScalarAttributeTypeN),
		},
		KeySchema: key("tag", "path"),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: sdk.String(tagIndex), KeySchema: key("path", "revalidatedAt"),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		}},
		Tags: []types.Tag{tag("Project", p.Slug), tag("ManagedBy", "anchor-deploy"), tag("Installation", s.Installation)},
	}
}

// awaitTable waits until the table is ACTIVE. A table that was just created may be unknown at
// first.
func (s *Assets) awaitTable(ctx context.Context, table string) error {
	waiter := dynamodb.NewTableExistsWaiter(s.DynamoDB, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 100*time.Millisecond, 2*time.Second
	})
	if err := waiter.Wait(ctx, &dynamodb.DescribeTableInput{TableName: &table}, tablePatience); err != nil {
		return s.tableFailed(err, "wait for", table)
	}
	return nil
}

// dropTable deletes a tag table if it exists.
func (s *Assets) dropTable(ctx context.Context, table string) error {
	err := s.deleteTable(ctx, table)
	if inUse := (*types.ResourceInUseException)(nil); errors.As(err, &inUse) {
		err = s.dropBusy(ctx, table)
	}
	if err != nil {
		return s.tableFailed(err, "delete", table)
	}
	return nil
}

// dropBusy handles a table that is already being deleted, or still being created.
func (s *Assets) dropBusy(ctx context.Context, table string) error {
	out, err := s.DynamoDB.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &table})
	if awserr.Is(err, "ResourceNotFoundException") {
		return nil
	}
	if err != nil || out.Table.TableStatus == types.TableStatusDeleting {
		return err
	}
	if err := s.awaitTable(ctx, table); err != nil {
		return err
	}
	return s.deleteTable(ctx, table)
}

func (s *Assets) deleteTable(ctx context.Context, table string) error {
	_, err := s.DynamoDB.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &table})
	if awserr.Is(err, "ResourceNotFoundException") {
		return nil
	}
	return err
}
