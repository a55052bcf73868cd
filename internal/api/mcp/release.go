package mcp

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

type changesInput struct {
	oneDeployment
	From string `json:"from,omitempty" jsonschema:"id of the deployment to compare with; the live one when empty"`
}

func (t tools) changes(ctx context.Context, in changesInput) (any, error) {
	slug, id, err := t.of(in.oneDeployment)
	if err != nil {
		return nil, err
	}
	return t.client.Changes(ctx, slug, id, anchor.DeploymentID(in.From))
}

func (t tools) split(ctx context.Context, in inProject) (any, error) {
	slug, err := t.slug(in.Project)
	if err != nil {
		return nil, err
	}
	return t.client.Split(ctx, slug)
}

func (t tools) promote(ctx context.Context, in oneDeployment) (any, error) {
	slug, id, err := t.of(in)
	if err != nil {
		return nil, err
	}
	return t.client.Promote(ctx, slug, id, wire.Promote{})
}

type shareInput struct {
	oneDeployment
	Weight       int   `json:"weight" jsonschema:"percentage of the requests that the deployment gets, 1 to 99"`
	Sticky       bool  `json:"sticky,omitempty" jsonschema:"divide the traffic by visitor and not by request"`
	NoGuard      bool  `json:"noGuard,omitempty" jsonschema:"keep the split even if the deployment is worse than the live one"`
	Then         []int `json:"then,omitempty" jsonschema:"percentages of the next steps, rising; with 100 the deployment becomes the live one"`
	EverySeconds int64 `json:"everySeconds,omitempty" jsonschema:"seconds from one step to the next"`
}

// share compares both deployments unless the call says otherwise: nobody may be looking.
func (t tools) share(ctx context.Context, in shareInput) (any, error) {
	slug, id, err := t.of(in.oneDeployment)
	if err != nil {
		return nil, err
	}
	return t.client.Promote(ctx, slug, id, wire.Promote{Split: &anchor.SplitPlan{
		Weight: in.Weight, Sticky: in.Sticky, Guard: !in.NoGuard, Then: in.Then, EverySeconds: in.EverySeconds,
	}})
}

func (t tools) endSplit(ctx context.Context, in inProject) (any, error) {
	slug, err := t.slug(in.Project)
	if err != nil {
		return nil, err
	}
	return t.client.CancelSplit(ctx, slug)
}

type rollbackInput struct {
	inProject
	Deployment string `json:"deployment,omitempty" jsonschema:"id of a kept deployment; the previous live one when empty"`
}

func (t tools) rollback(ctx context.Context, in rollbackInput) (any, error) {
	slug, err := t.slug(in.Project)
	if err != nil {
		return nil, err
	}
	return t.client.Rollback(ctx, slug, wire.Rollback{TargetDeploymentID: anchor.DeploymentID(in.Deployment), Previous: in.Deployment == ""})
}

type purgeInput struct {
	inProject
	URL        string `json:"url,omitempty" jsonschema:"an address, or a path on all hosts"`
	Prefix     string `json:"prefix,omitempty" jsonschema:"how an address, or a path on all hosts, begins"`
	Tag        string `json:"tag,omitempty" jsonschema:"a tag of the answers"`
	Deployment string `json:"deployment,omitempty" jsonschema:"only answers of this deployment"`
	All        bool   `json:"all,omitempty" jsonschema:"all answers of the project, when nothing else is named"`
}

func (t tools) purge(ctx context.Context, in purgeInput) (any, error) {
	slug, err := t.slug(in.Project)
	if err != nil {
		return nil, err
	}
	which := wire.PurgeCache{URL: in.URL, Prefix: in.Prefix, Tag: in.Tag, DeploymentID: anchor.DeploymentID(in.Deployment)}
	if which == (wire.PurgeCache{}) != in.All {
		return nil, anchor.Invalid("purge_what", "the call must name answers, or set all, and not both").Hintf("Pass url, prefix, tag or deployment, or all: true.")
	}
	return t.client.PurgeCache(ctx, slug, which)
}
