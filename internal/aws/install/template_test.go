package install_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/dynamo"
	"github.com/anchor-deploy/anchor/internal/aws/install"
)

func TestTemplate_IsClean(t *testing.T) {
	name := filepath.Join(t.TempDir(), "template.yaml")
	if err := os.WriteFile(name, []byte(install.Template()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(awstest.Tool(t, "cfn-lint"), "--include-checks", "I", "--", name).CombinedOutput(); err != nil {
		t.Errorf("cfn-lint: %v\n%s", err, out)
	}
	if n := len(install.Template()); n > 1_000_000 {
		t.Errorf("the template has %d bytes; CloudFormation reads 1 MB from a bucket", n)
	}
}

// The stack creates exactly the tables of the records' package.
func TestTemplate_TablesMatchRecords(t *testing.T) {
	cloud := awstest.Shared(t)
	bootstrapped(t, config(t, cloud))
	tables := dynamodb.NewFromConfig(cloud.Config())
	for _, want := range dynamo.Schema() {
		name := "anchor-" + sdk.ToString(want.TableName)
		out, err := tables.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &name})
		if err != nil {
			t.Fatal(err)
		}
		got := dynamodb.CreateTableInput{
			TableName: want.TableName, KeySchema: out.Table.KeySchema, AttributeDefinitions: out.Table.AttributeDefinitions,
			BillingMode: out.Table.BillingModeSummary.BillingMode,
		}
		for _, index := range out.Table.GlobalSecondaryIndexes {
			got.GlobalSecondaryIndexes = append(got.GlobalSecondaryIndexes,
				types.GlobalSecondaryIndex{IndexName: index.IndexName, KeySchema: index.KeySchema, Projection: index.Projection})
		}
		byName := cmpopts.SortSlices(func(a, b types.AttributeDefinition) bool { return *a.AttributeName < *b.AttributeName })
		ignore := cmpopts.IgnoreUnexported(dynamodb.CreateTableInput{}, types.AttributeDefinition{}, types.KeySchemaElement{},
			types.GlobalSecondaryIndex{}, types.Projection{})
		if diff := cmp.Diff(want, got, byName, ignore); diff != "" {
			t.Errorf("the table %s (-records +stack):\n%s", name, diff)
		}
		if !sdk.ToBool(out.Table.DeletionProtectionEnabled) {
			t.Errorf("the table %s is not protected", name)
		}
	}
}
