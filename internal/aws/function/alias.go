package function

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// alias is the state of a function's live alias in Lambda. Without an ID there was none.
type alias struct {
	id       string // RevisionId, which changes with every write
	version  string
	revision int64 // of the pointer that it follows; 0 until it is complete
}

// describeAlias returns the description of the live alias: the revision of the pointer that it follows
// and, for people, the deployment.
func describeAlias(revision int64, d anchor.DeploymentID) *string {
	return sdk.String(fmt.Sprintf("r%d %s", revision, d))
}

func aliasOf(revisionID, version, description *string) alias {
	a := alias{id: sdk.ToString(revisionID), version: sdk.ToString(version)}
	first, _, _ := strings.Cut(sdk.ToString(description), " ")
	if n, err := strconv.ParseInt(strings.TrimPrefix(first, "r"), 10, 64); err == nil {
		a.revision = n
	}
	return a
}

func (f *Functions) readLive(ctx context.Context, function string) (alias, error) {
	out, err := f.Lambda.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: &function, Name: sdk.String(anchor.LiveAlias)})
	if isMissing(err) {
		return alias{}, nil
	}
	if err != nil {
		return alias{}, err
	}
	return aliasOf(out.RevisionId, out.FunctionVersion, out.Description), nil
}

// move makes a function's live alias follow the pointer. An alias that follows a later revision
// stays. When another write was faster, move reads the alias again. read is the alias as Prepare
// read it, nil if it did not. complete creates what a new alias needs.
//
// An alias that is on the version already serves it, even if it cannot be written: then only its
// description names an earlier revision. So a switch can be undone although the cause of its
// failure persists.
func (f *Functions) move(
	ctx context.Context, function, version string, live anchor.Live, read *alias, complete func(context.Context) error,
) error {
	var have alias
	if read != nil {
		have = *read
	}
	known := read != nil
	for round := range maxRounds {
		if !known {
			var err error
			if have, err = f.readLive(ctx, function); err != nil {
				return err
			}
		}
		known = false
		if have.revision > live.Revision || have.revision == live.Revision && have.version == version {
			return nil
		}
		moved, err := f.advanceAlias(ctx, function, version, have, live, complete)
		switch {
		case moved:
			return nil
		case err == nil:
			continue
		case !isConflict(err) && !isStale(err) && !isUnsure(err):
			if have.revision > 0 && have.version == version {
				f.Log.WarnContext(ctx, "a live alias is on the right version but cannot be written",
					"function", function, "version", version, "cause", err.Error())
				return nil
			}
			return err
		}
		if err := f.pauseRound(ctx, round); err != nil {
			return err
		}
	}
	return busyError(function)
}

// advanceAlias makes the next write for the alias: it creates it, or moves it.
func (f *Functions) advanceAlias(ctx context.Context, function, version string, have alias, live anchor.Live, complete func(context.Context) error) (moved bool, err error) {
	switch {
	case have.id == "":
		return false, f.createLive(ctx, function, version, live)
	case have.revision == 0:
		if err := complete(ctx); err != nil {
			return false, err
		}
	}
	err = f.updateLive(ctx, function, version, have.id, live)
	return err == nil, err
}

// createLive creates the alias for revision 0. It serves, but does not count as complete before
// its URL exists.
func (f *Functions) createLive(ctx context.Context, function, version string, live anchor.Live) error {
	_, err := f.Lambda.CreateAlias(ctx, &lambda.CreateAliasInput{
		FunctionName: &function, Name: sdk.String(anchor.LiveAlias), FunctionVersion: &version,
		Description: describeAlias(0, live.Deployment),
	})
	return err
}

func (f *Functions) updateLive(ctx context.Context, function, version, revisionID string, live anchor.Live) error {
	_, err := f.Lambda.UpdateAlias(ctx, &lambda.UpdateAliasInput{
		FunctionName: &function, Name: sdk.String(anchor.LiveAlias), FunctionVersion: &version,
		Description: describeAlias(live.Revision, live.Deployment), RevisionId: &revisionID,
		// All traffic goes to the one version, even if somebody changed the weights by hand.
		RoutingConfig: &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{}},
	})
	return err
}

func busyError(function string) error {
	return anchor.Failed("function_busy", "another process keeps changing the function %s", function).
		Hintf("Make sure that nothing but Anchor changes it, and run the command again.")
}
