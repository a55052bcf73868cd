package install_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codebuild"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
)

// everything lists what exists in the account of everything that an installation consists of.
func everything(t *testing.T, cloud *awstest.Cloud) []string {
	t.Helper()
	var all []string
	add := func(kind string, name *string) { all = append(all, kind+" "+sdk.ToString(name)) }
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	c, ctx := cloud.Config(), t.Context()

	stacks, err := cloudformation.NewFromConfig(c).DescribeStacks(ctx, nil)
	check(err)
	for _, s := range stacks.Stacks {
		add("stack", s.StackName)
	}
	tables, err := dynamodb.NewFromConfig(c).ListTables(ctx, nil)
	check(err)
	for _, name := range tables.TableNames {
		add("table", &name)
	}
	buckets, err := s3.NewFromConfig(c).ListBuckets(ctx, nil)
	check(err)
	for _, b := range buckets.Buckets {
		add("bucket", b.Name)
	}
	functions, err := lambda.NewFromConfig(c).ListFunctions(ctx, nil)
	check(err)
	for _, f := range functions.Functions {
		add("function", f.FunctionName)
	}
	roles, err := iam.NewFromConfig(c).ListRoles(ctx, nil)
	check(err)
	for _, r := range roles.Roles {
		add("role", r.RoleName)
	}
	groups, err := cloudwatchlogs.NewFromConfig(c).DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{})
	check(err)
	for _, g := range groups.LogGroups {
		add("log group", g.LogGroupName)
	}
	parameters, err := ssm.NewFromConfig(c).DescribeParameters(ctx, nil)
	check(err)
	for _, p := range parameters.Parameters {
		add("parameter", p.Name)
	}
	projects, err := codebuild.NewFromConfig(c).ListProjects(ctx, nil)
	check(err)
	for _, name := range projects.Projects {
		add("build project", &name)
	}
	slices.Sort(all)
	return all
}

// rulesAndAPIs lists the rest with the CLI, because the product does not need the SDK's modules
// for it.
func rulesAndAPIs(t *testing.T, cloud *awstest.Cloud) []string {
	t.Helper()
	return append(names(t, cloud, "Rules", "Name", "events", "list-rules"), names(t, cloud, "Items", "Name", "apigatewayv2", "get-apis")...)
}

func names(t *testing.T, cloud *awstest.Cloud, list, key string, args ...string) []string {
	t.Helper()
	var doc map[string][]map[string]any
	if err := json.Unmarshal([]byte(cloud.CLI(t, append(args, "--output", "json")...)), &doc); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, item := range doc[list] {
		all = append(all, fmt.Sprintf("%s %v", args[0], item[key]))
	}
	return all
}
