package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *server) systemRoutes() {
	handleRoute(s, newOperation("health", http.MethodGet, "/health", "", "Check that the API answers"), s.getHealth)
	handleRoute(s, newOperation("version", http.MethodGet, "/version", "", "Get the version of Anchor"), s.getVersion)
	status := newOperation("status", http.MethodGet, "/status", anchor.ScopeRead, "Get the server, live projects and workers")
	status.Metadata[anywhereKey] = true
	handleRoute(s, status, s.getStatus)
	handleRoute(s, newOperation("doctor", http.MethodGet, "/doctor", anchor.ScopeRead, "Diagnose problems of the server"), s.runDoctor)
}

func (s *server) getHealth(context.Context, *none) (*body[wire.Health], error) {
	return answerWith(wire.Health{Status: "ok"}), nil
}

func (s *server) getVersion(context.Context, *none) (*body[wire.Version], error) {
	return answerWith(wire.Version{Version: s.Version}), nil
}

func (s *server) getStatus(ctx context.Context, _ *none) (*body[wire.Status], error) {
	status, err := s.System.Status(ctx)
	if err != nil {
		return nil, err
	}
	if actor := actorOf(ctx); actor.Role == "" {
		var own []string
		status.Live = slices.DeleteFunc(status.Live, func(l wire.Serving) bool {
			if actor.Sees(l.ID) {
				own = append(own, l.Slug)
			}
			return !actor.Sees(l.ID)
		})
		status.Workers = slices.DeleteFunc(status.Workers, func(w wire.Worker) bool { return !slices.Contains(own, w.Slug) })
	}
	return answerWith(status), nil
}

func (s *server) runDoctor(ctx context.Context, _ *none) (*body[wire.Items[wire.Check]], error) {
	return answerWith(wire.Items[wire.Check]{Items: append([]wire.Check{}, s.System.Doctor(ctx)...)}), nil
}
