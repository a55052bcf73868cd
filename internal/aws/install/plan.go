package install

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/anchor-deploy/anchor/internal/aws/installation"

	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// Plan computes what Bootstrap would do and changes nothing: it deletes its change set, and the
// empty stack that CloudFormation creates for it.
func (i *Installation) Plan(ctx context.Context) (installation.Plan, error) {
	if err := i.identifyCaller(ctx); err != nil {
		return installation.Plan{}, err
	}
	s, err := i.stackState(ctx)
	if err == nil {
		err = i.checkSettled(s)
	}
	if err != nil {
		return installation.Plan{}, err
	}
	c, err := i.handlersCode(s)
	if err != nil {
		return installation.Plan{}, err
	}
	p := installation.Plan{Installation: i.Name, Account: i.account, Region: i.AWS.Region, From: s.version, To: i.Version, Changes: []installation.Change{}}
	if !s.isAbsent() {
		p.Warnings = i.runtimeWarnings(ctx)
	}
	there, err := i.hasBucket(ctx, i.artifactsBucket())
	if err != nil {
		return installation.Plan{}, err
	}
	before, err := i.beforeStack(ctx, there)
	if err != nil {
		return installation.Plan{}, err
	}
	p.Changes = append(p.Changes, before...)
	changes, err := i.planStack(ctx, s, c, there)
	p.Changes = append(p.Changes, changes...)
	return p, err
}

// planStack returns what would change in the stack.
func (i *Installation) planStack(ctx context.Context, s state, c code, hasBucket bool) ([]installation.Change, error) {
	if s.isStillborn() { // CloudFormation computes nothing for such a stack
		return []installation.Change{{Action: "replace", Resource: i.Name, Type: "AWS::CloudFormation::Stack", Physical: s.id, Why: []string{string(s.status)}}}, nil
	}
	if text := i.templateText(); s.isAbsent() && !hasBucket && len(text) > maxBody {
		return outlineChanges(text, i.stackParameters(s, c))
	}
	set, err := i.computeChanges(ctx, s, c)
	if err != nil || len(set.changes) == 0 {
		return nil, err
	}
	return set.changes, i.dropChanges(ctx, set)
}

// beforeStack returns the resources outside the stack that do not exist yet.
func (i *Installation) beforeStack(ctx context.Context, hasBucket bool) ([]installation.Change, error) {
	var changes []installation.Change
	if !hasBucket {
		changes = append(changes, installation.Change{Action: "add", Resource: "ArtifactsBucket", Type: "AWS::S3::Bucket", Physical: i.artifactsBucket()})
	}
	name := i.keyParameter()
	_, err := i.ssm.GetParameter(ctx, &ssm.GetParameterInput{Name: &name})
	switch {
	case awserr.Is(err, "ParameterNotFound"):
		changes = append(changes, installation.Change{Action: "add", Resource: "Key", Type: "AWS::SSM::Parameter", Physical: name})
	case err != nil:
		return nil, i.explainError(err, "look for the key "+name)
	}
	return changes, nil
}
