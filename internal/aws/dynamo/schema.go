package dynamo

import (
	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Tables names the tables.
type Tables struct{ Projects, Deployments, Domains string }

// TablesOf names the tables of an installation.
func TablesOf(installation string) Tables {
	return Tables{
		Projects: installation + "-projects", Deployments: installation + "-deployments", Domains: installation + "-domains",
	}
}

// The keys of every table and of the index of hostnames that are due.
const (
	pk       = "pk"
	sk       = "sk"
	dueIndex = "due"
	duePK    = "due"
	dueSK    = "dueAt"
)

// Schema returns the tables as input of CreateTable, named as in TablesOf but without the
// installation: "projects", "deployments", "domains". Backups and deletion protection belong to
// the infrastructure.
func Schema() []dynamodb.CreateTableInput {
	domains := tableInput("domains")
	domains.AttributeDefinitions = append(domains.AttributeDefinitions, textAttribute(duePK), textAttribute(dueSK))
	domains.GlobalSecondaryIndexes = []types.GlobalSecondaryIndex{{
		IndexName:  sdk.String(dueIndex),
		KeySchema:  keySchema(duePK, dueSK),
		Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
	}}
	return []dynamodb.CreateTableInput{tableInput("projects"), tableInput("deployments"), domains}
}

func tableInput(name string) dynamodb.CreateTableInput {
	return dynamodb.CreateTableInput{
		TableName:            sdk.String(name),
		BillingMode:          types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{textAttribute(pk), textAttribute(sk)},
		KeySchema:            keySchema(pk, sk),
	}
}

func textAttribute(name string) types.AttributeDefinition {
	return types.AttributeDefinition{AttributeName: sdk.String(name), AttributeType: types.ScalarAttributeTypeS}
}

func keySchema(hash, sort string) []types.KeySchemaElement {
	return []types.KeySchemaElement{
		{AttributeName: sdk.String(hash), KeyType: types.KeyTypeHash},
		{AttributeName: sdk.String(sort), KeyType: types.KeyTypeRange},
	}
}
