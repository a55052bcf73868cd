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
	before, err := i.beforeStack(ctx)
	if err != nil {
		return installation.Plan{}, err
	}
	p.Changes = append(p.Changes, before...)
	if s.isStillborn() {
		p.Changes = append(p.Changes, installation.Change{Action: "replace", Resource: i.Name, Type: "AWS::CloudFormation::Stack",
			Physical: s.id, Why: []string{string(s.status)}})
		return p, nil // CloudFormation computes nothing for such a stack
	}
	set, err := i.computeChanges(ctx, s, c)
	if err != nil {
		return installation.Plan{}, err
	}
	p.Changes = append(p.Changes, set.changes...)
	if len(set.changes) > 0 {
		err = i.dropChanges(ctx, set)
	}
	return p, err
}

// beforeStack returns the resources outside the stack that do not exist yet.
func (i *Installation) beforeStack(ctx context.Context) ([]installation.Change, error) {
	var changes []installation.Change
	there, err := i.hasBucket(ctx, i.artifactsBucket())
	if err != nil {
		return nil, err
	}
	if !there {
		changes = append(changes, installation.Change{Action: "add", Resource: "ArtifactsBucket", Type: "AWS::S3::Bucket", Physical: i.artifactsBucket()})
	}
	name := i.keyParameter()
	_, err = i.ssm.GetParameter(ctx, &ssm.GetParameterInput{Name: &name})
	switch {
	case awserr.Is(err, "ParameterNotFound"):
		changes = append(changes, installation.Change{Action: "add", Resource: "Key", Type: "AWS::SSM::Parameter", Physical: name})
	case err != nil:
		return nil, i.explainError(err, "look for the key "+name)
	}
	return changes, nil
}
