package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *server) auditRoutes() {
	op := newOperation("list-changes", http.MethodGet, "/audit", anchor.ScopeAdmin, "List changes from the audit log, newest first", 404)
	op.Description += " For the changes in one project, admins of the project need no other role."
	op.Metadata[anywhereKey] = true
	handleRoute(s, op, s.listChanges)
}

func (s *server) listChanges(ctx context.Context, in *struct {
	Project string `query:"project" maxLength:"64" doc:"Only changes in the project of this id or slug"`
	Actor   string `query:"actor" maxLength:"100" doc:"Only changes by the person or token of this name or id"`
	Before  int64  `query:"before" minimum:"0" doc:"Only entries with a smaller seq, for the next page"`
	Limit   int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}) (*body[wire.Items[anchor.AuditEntry]], error) {
	f := anchor.AuditFilter{Actor: in.Actor, Before: in.Before, Limit: in.Limit}
	actor := actorOf(ctx)
	if in.Project == "" {
		if err := actor.Require(anchor.ScopeAdmin); err != nil {
			return nil, err
		}
	} else {
		p, err := s.Projects.Get(ctx, in.Project)
		if err != nil {
			return nil, err
		}
		if !actor.Sees(p.ID) {
			return nil, unknownProject(in.Project)
		}
		if err := actor.RequireIn(p.ID, anchor.ScopeAdmin); err != nil {
			return nil, err
		}
		f.ProjectID = p.ID
	}
	found, err := s.Access.Changes(ctx, f)
	if err != nil {
		return nil, err
	}
	return answerWith(wire.Items[anchor.AuditEntry]{Items: append([]anchor.AuditEntry{}, found...)}), nil
}

// isChange reports whether the audit log names what an operation does.
func isChange(op *huma.Operation) bool {
	quiet, _ := op.Metadata[quietKey].(bool)
	needs, _ := op.Metadata[scopeKey].(anchor.Scope)
	return op.Method != http.MethodGet && !quiet && needs != ""
}

// targets are the parameters of paths that name what an operation changes.
var targets = []string{"channelId", "deploymentId", "domainId", "drainId", "name", "number", "passkeyId", "personId", "sessionId", "tokenId"}

// beginChange notes, before a change, what is changed: afterwards it may be gone.
func (s *server) beginChange(ctx huma.Context, next func(huma.Context)) {
	a := admittedOf(ctx.Context())
	if op := ctx.Operation(); isChange(op) && a.actor.Kind != "" && s.Access.HasAudit() {
		r, _ := humago.Unwrap(ctx)
		a.change = anchor.AuditEntry{Action: op.OperationID, From: s.clientAddress(r)}
		if id := ctx.Param("projectId"); id != "" {
			if p, err := s.Projects.Get(ctx.Context(), id); err == nil { // else the handler reports it
				a.change.ProjectID, a.change.Project = p.ID, p.Slug
			}
		}
		var named []string
		for _, target := range targets {
			if v := ctx.Param(target); v != "" {
				named = append(named, v)
			}
		}
		a.change.Target = strings.Join(named, " ")
	}
	next(ctx)
}

// noteChange adds the state before and after the change that ctx belongs to; nil is left out. It must not
// contain secrets.
func noteChange(ctx context.Context, before, after any) {
	a := admittedOf(ctx)
	a.change.Before, a.change.After = describeState(before), describeState(after)
}

// noteTarget names what the change that ctx belongs to has changed.
func noteTarget(ctx context.Context, target string) { admittedOf(ctx).change.Target = target }

func describeState(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}

// recordChange adds a change that was made to the audit log.
func (s *server) recordChange(ctx context.Context, op *huma.Operation) error {
	if !isChange(op) {
		return nil
	}
	a := admittedOf(ctx)
	return s.Access.Record(ctx, withActor(a.change, a.actor))
}

func withActor(e anchor.AuditEntry, actor access.Actor) anchor.AuditEntry {
	e.ActorKind, e.ActorID, e.Actor = actor.Kind, actor.ID, actor.Name
	return e
}

// noteProject names the project that the change that ctx belongs to has created.
func noteProject(ctx context.Context, p anchor.Project) {
	a := admittedOf(ctx)
	a.change.ProjectID, a.change.Project = p.ID, p.Slug
}
