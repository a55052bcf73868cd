package api

import (
	"context"
	"net/http"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// Drains send copies of log lines to other servers.
type Drains interface {
	// Add checks, stores and starts a drain.
	Add(ctx context.Context, d anchor.Drain, t anchor.DrainTarget) (anchor.Drain, error)
	List(ctx context.Context) ([]anchor.Drain, error)
	// Get, Remove and Test return anchor.ErrNotFound when there is no such drain.
	Get(ctx context.Context, id string) (anchor.Drain, error)
	Remove(ctx context.Context, id string) error
	Test(ctx context.Context, id string) error
}

func (s *server) drainRoutes() {
	const all, one = "/drains", "/drains/{drainId}"
	handleRoute(s, newOperation("list-drains", http.MethodGet, all, anchor.ScopeAdmin, "List where copies of log lines go", 501), s.listDrains)
	add := newOperation("add-drain", http.MethodPost, all, anchor.ScopeAdmin, "Send copies of log lines to a server", 404, 409, 501)
	add.Description += " No response has the URL or the headers."
	add.DefaultStatus = http.StatusCreated
	handleRoute(s, add, s.addDrain)
	handleRoute(s, newOperation("remove-drain", http.MethodDelete, one, anchor.ScopeAdmin, "Send no more log lines there", 404, 501), s.removeDrain)
	handleRoute(s, newOperation("test-drain", http.MethodPost, one+"/test", anchor.ScopeAdmin, "Send a test line now", 404, 501), s.testDrain)
}

func (s *server) checkDrains() error {
	if s.Drains == nil {
		return newProblem(http.StatusNotImplemented, "no_drains", "on AWS, Anchor sends no log lines to other servers", "Create a subscription filter for the log groups of the functions in CloudWatch.")
	}
	return nil
}

func (s *server) listDrains(ctx context.Context, _ *none) (*body[wire.Items[anchor.Drain]], error) {
	if err := s.checkDrains(); err != nil {
		return nil, err
	}
	drains, err := s.Drains.List(ctx)
	if err != nil {
		return nil, err
	}
	return answerWith(wire.Items[anchor.Drain]{Items: drains}), nil
}

func (s *server) addDrain(ctx context.Context, in *struct{ Body wire.AddDrain }) (*body[anchor.Drain], error) {
	if err := s.checkDrains(); err != nil {
		return nil, err
	}
	d := anchor.Drain{Kind: in.Body.Kind, Sources: in.Body.Sources}
	if in.Body.Project != "" {
		p, err := s.Projects.Get(ctx, in.Body.Project)
		if err != nil {
			return nil, err
		}
		d.ProjectID = p.ID
		noteProject(ctx, p)
	}
	d, err := s.Drains.Add(ctx, d, in.Body.DrainTarget)
	if err != nil {
		return nil, err
	}
	noteTarget(ctx, d.ID)
	noteChange(ctx, nil, d)
	return answerWith(d), nil
}

// inDrain is the path of one drain.
type inDrain struct {
	DrainID string `path:"drainId" maxLength:"64"`
}

func (s *server) removeDrain(ctx context.Context, in *inDrain) (*none, error) {
	if err := s.checkDrains(); err != nil {
		return nil, err
	}
	d, err := s.Drains.Get(ctx, in.DrainID)
	if err != nil {
		return nil, err
	}
	noteChange(ctx, d, nil)
	return nil, s.Drains.Remove(ctx, in.DrainID)
}

func (s *server) testDrain(ctx context.Context, in *inDrain) (*none, error) {
	if err := s.checkDrains(); err != nil {
		return nil, err
	}
	return nil, s.Drains.Test(ctx, in.DrainID)
}
