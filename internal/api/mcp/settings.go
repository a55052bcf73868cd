package mcp

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (t tools) variables(ctx context.Context, in inProject) (any, error) {
	slug, err := t.slug(in.Project)
	if err != nil {
		return nil, err
	}
	variables, err := t.client.Env(ctx, slug, false)
	return wire.Items[anchor.EnvVar]{Items: variables}, err
}

func (t tools) crons(ctx context.Context, in inProject) (any, error) {
	slug, err := t.slug(in.Project)
	if err != nil {
		return nil, err
	}
	crons, err := t.client.Crons(ctx, slug)
	return wire.Items[anchor.CronState]{Items: crons}, err
}

type auditInput struct {
	Project string `json:"project,omitempty" jsonschema:"only changes in this project; of all when empty"`
	Actor   string `json:"actor,omitempty" jsonschema:"only changes by this person or token"`
	Before  int64  `json:"before,omitempty" jsonschema:"only changes before the one with this seq"`
	Limit   int    `json:"limit,omitempty" jsonschema:"number of changes, at most 100; 20 when empty"`
}

func (t tools) audit(ctx context.Context, in auditInput) (any, error) {
	entries, err := t.client.Audit(ctx, in.Project, in.Actor, in.Before, page{Limit: in.Limit}.page().Limit)
	return wire.Items[anchor.AuditEntry]{Items: entries}, err
}
