package awstest

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	cloudfronttypes "github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func TestRefusals(t *testing.T) {
	dir := filepath.Join(filepath.Dir(findTool(t, "aws")), "..", "lib")
	found, err := filepath.Glob(filepath.Join(dir, "python3*", "site-packages", "botocore", "data"))
	if err != nil || len(found) != 1 {
		t.Fatalf("botocore's models are %q, %v", found, err)
	}
	for name, test := range map[string]struct {
		service, operation string
		input              any
		want               string
	}{
		"a good one": {"Lambda", "CreateAlias", &lambda.CreateAliasInput{
			FunctionName: aws.String("anchor-shop-server"), Name: aws.String("live"), FunctionVersion: aws.String("1"),
		}, ""},
		"a pattern": {"Lambda", "CreateAlias", &lambda.CreateAliasInput{
			FunctionName: aws.String("anchor-shop-server"), Name: aws.String("live now"), FunctionVersion: aws.String("1"),
		}, "Name is"},
		"a length": {"Lambda", "CreateAlias", &lambda.CreateAliasInput{
			FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("1"), Description: aws.String(strings.Repeat("x", 257)),
		}, "Description is 257"},
		"what is missing": {"Lambda", "CreateAlias", &lambda.CreateAliasInput{Name: aws.String("live"), FunctionVersion: aws.String("1")}, "FunctionName is required"},
		"an enum in a list": {"Lambda", "UpdateFunctionCode", &lambda.UpdateFunctionCodeInput{
			FunctionName: aws.String("f"), Architectures: []types.Architecture{"riscv"},
		}, "riscv"},
		"a number": {"Lambda", "CreateFunction", &lambda.CreateFunctionInput{
			FunctionName: aws.String("f"), Role: aws.String("arn:aws:iam::123456789012:role/r"), Code: &types.FunctionCode{}, Timeout: aws.Int32(0),
		}, "Timeout is 0"},
		"deep inside": {"CloudFront", "CreateFunction", &cloudfront.CreateFunctionInput{
			Name: aws.String("a name"), FunctionCode: []byte("x"),
			FunctionConfig: &cloudfronttypes.FunctionConfig{Comment: aws.String(""), Runtime: "cloudfront-js-9.0"},
		}, "FunctionConfig.Runtime is"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := modelOf(found[0], test.service)
			if err != nil {
				t.Fatal(err)
			}
			var text string
			for _, err := range m.listViolations(test.operation, test.input) {
				text += err.Error() + "\n"
			}
			if text != "" && test.want == "" || !strings.Contains(text, test.want) {
				t.Errorf("it says %q, want %q", text, test.want)
			}
		})
	}
}
