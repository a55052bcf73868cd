package dynamo_test

import (
	"context"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/dynamo"
	"github.com/anchor-deploy/anchor/internal/records/recordstest"
)

// tables creates the tables of a new installation, and deletes them when the test has ended: moto copies all
// tables that there are at each transaction.
func tables(t *testing.T, client *dynamodb.Client) dynamo.Tables {
	t.Helper()
	installation := anchor.NewID()
	for _, table := range dynamo.Schema() {
		table.TableName = sdk.String(installation + "-" + *table.TableName)
		_, err := client.CreateTable(t.Context(), &table)
		if err := awstest.Made(err); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_, err := client.DeleteTable(context.WithoutCancel(t.Context()), &dynamodb.DeleteTableInput{TableName: table.TableName})
			if err != nil && !awserr.Is(err, "ResourceNotFoundException") {
				t.Error(err)
			}
		})
	}
	return dynamo.TablesOf(installation)
}

func conform(t *testing.T, config sdk.Config) {
	recordstest.Run(t, func(t *testing.T) (recordstest.Store, func() recordstest.Store) {
		client := dynamodb.NewFromConfig(config)
		names := tables(t, client)
		return dynamo.New(client, names), func() recordstest.Store {
			return dynamo.New(dynamodb.NewFromConfig(config), names)
		}
	})
}

func TestConformanceOnMiniStack(t *testing.T) { conform(t, awstest.Shared(t).Config()) }
