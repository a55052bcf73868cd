package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// The handlers' names, as in ANCHOR_HANDLER and in the function's handler setting.
const (
	NameDeploy   = "deploy"
	NameRollback = "rollback"
	NameDomains  = "domains"
	NameAPI      = "api"
	NameCrons    = "crons"
)

// Handler processes one event as Lambda delivers it.
type Handler func(ctx context.Context, event json.RawMessage) (any, error)

// Named returns the handler of a name. rollback and api differ only in their roles and in their
// routes, which API Gateway has.
func (h *Handlers) Named(name string) (Handler, error) {
	switch name {
	case NameDeploy:
		return h.Deploy, nil
	case NameDomains:
		return h.Domains, nil
	case NameCrons:
		return h.Crons, nil
	case NameRollback, NameAPI:
		return h.API, nil
	}
	return nil, anchor.Invalid("unknown_handler", "%q is not a handler", name).
		Hintf("Set ANCHOR_HANDLER to %s, %s, %s, %s or %s.", NameDeploy, NameRollback, NameDomains, NameCrons, NameAPI)
}

// Deploy accepts a DeployEvent, {"reconcile": true} and a CodeBuild Build State Change.
func (h *Handlers) Deploy(ctx context.Context, raw json.RawMessage) (any, error) {
	return nil, h.deployer.Handle(ctx, raw)
}

// API accepts an event of API Gateway's HTTP API.
func (h *Handlers) API(ctx context.Context, raw json.RawMessage) (any, error) {
	var e events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	return Gateway(h.http, h.log)(ctx, e)
}

// Domains accepts an event of API Gateway's HTTP API and {"reconcile": true}, which processes all
// names that are due.
func (h *Handlers) Domains(ctx context.Context, raw json.RawMessage) (any, error) {
	var e event
	if err := json.Unmarshal(raw, &e); err != nil || !e.Reconcile {
		return h.API(ctx, raw)
	}
	if h.hostnames == nil {
		return nil, nil
	}
	working, stop := soonerThan(ctx, margin)
	defer stop()
	h.hostnames.Reconcile(working)
	return nil, nil
}

// margin is the part of an invocation that is reserved for finishing the work in progress.
const margin = 5 * time.Second

// soonerThan returns a context that ends margin before ctx does.
func soonerThan(ctx context.Context, margin time.Duration) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-margin))
	}
	return context.WithCancel(ctx)
}
