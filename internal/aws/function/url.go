package function

import (
	"context"
	"encoding/json"
	"net/url"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/anchor-deploy/anchor/internal/retry"
)

// The statements that make an alias' URL public. Their names are made of what they allow and of
// the alias. Since October 2025 a new URL needs both (Developer Guide, "Control access to Lambda
// function URLs").
func urlStatement(alias string) *string    { return sdk.String("anchor-url-" + alias) }
func invokeStatement(alias string) *string { return sdk.String("anchor-invoke-" + alias) }

// openURL creates an alias' URL. It creates the permissions first and the URL last, so that a URL
// that exists is complete. The URL always streams: the mode belongs to the URL, which outlives
// any one version, and our entry streams whatever the app does.
func (f *Functions) openURL(ctx context.Context, function, alias string) error {
	if _, err := f.urlHost(ctx, function, alias); !isMissing(err) {
		return explainFailure(err, "read the URL of function %s on alias %s", function, alias)
	}
	for _, permission := range []lambda.AddPermissionInput{
		{StatementId: urlStatement(alias), Action: sdk.String("lambda:InvokeFunctionUrl"), FunctionUrlAuthType: types.FunctionUrlAuthTypeNone},
		{StatementId: invokeStatement(alias), Action: sdk.String("lambda:InvokeFunction"), InvokedViaFunctionUrl: sdk.Bool(true)},
	} {
		permission.FunctionName, permission.Qualifier, permission.Principal = &function, &alias, sdk.String("*")
		if err := f.allowInvoke(ctx, &permission); err != nil {
			return explainFailure(err, "open function %s on alias %s to its URL", function, alias)
		}
	}
	return explainFailure(f.createURL(ctx, function, alias), "make the URL of function %s on alias %s", function, alias)
}

func (f *Functions) createURL(ctx context.Context, function, alias string) error {
	return retry.Do(ctx, f.writes(), func() error {
		_, err := f.Lambda.CreateFunctionUrlConfig(ctx, &lambda.CreateFunctionUrlConfigInput{
			FunctionName: &function, Qualifier: &alias,
			AuthType: types.FunctionUrlAuthTypeNone, InvokeMode: types.InvokeModeResponseStream,
		})
		if !isConflict(err) {
			return err
		}
		if _, err := f.urlHost(ctx, function, alias); !isMissing(err) {
			return err
		}
		return retry.Again(busyError(function))
	})
}

// allowInvoke adds a statement to an alias' policy unless it exists.
func (f *Functions) allowInvoke(ctx context.Context, permission *lambda.AddPermissionInput) error {
	return retry.Do(ctx, f.writes(), func() error {
		_, err := f.Lambda.AddPermission(ctx, permission)
		if !isConflict(err) && !isStale(err) {
			return err
		}
		there, err := f.hasStatement(ctx, permission)
		if there || err != nil {
			return err
		}
		return retry.Again(busyError(*permission.FunctionName))
	})
}

func (f *Functions) hasStatement(ctx context.Context, permission *lambda.AddPermissionInput) (bool, error) {
	out, err := f.Lambda.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: permission.FunctionName, Qualifier: permission.Qualifier})
	if isMissing(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var policy struct{ Statement []struct{ Sid string } }
	if err := json.Unmarshal([]byte(sdk.ToString(out.Policy)), &policy); err != nil {
		return false, err
	}
	for _, statement := range policy.Statement {
		if statement.Sid == *permission.StatementId {
			return true, nil
		}
	}
	return false, nil
}

// urlHost returns the host of an alias' URL, or ResourceNotFoundException when it has none.
func (f *Functions) urlHost(ctx context.Context, function, alias string) (string, error) {
	out, err := f.Lambda.GetFunctionUrlConfig(ctx, &lambda.GetFunctionUrlConfigInput{FunctionName: &function, Qualifier: &alias})
	if err != nil {
		return "", err
	}
	u, err := url.Parse(sdk.ToString(out.FunctionUrl))
	if err != nil {
		return "", err
	}
	return u.Host, nil
}
