package api

import (
	"context"
	"net/http"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *server) systemRoutes() {
	handleRoute(s, newOperation("health", http.MethodGet, "/health", "", "Check that the API answers"), s.getHealth)
	handleRoute(s, newOperation("version", http.MethodGet, "/version", "", "Get the version of Anchor"), s.getVersion)
	handleRoute(s, newOperation("status", http.MethodGet, "/status", anchor.ScopeRead, "Get the server, live projects and workers"), s.getStatus)
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
	return answerWith(status), nil
}

func (s *server) runDoctor(ctx context.Context, _ *none) (*body[wire.Items[wire.Check]], error) {
	return answerWith(wire.Items[wire.Check]{Items: append([]wire.Check{}, s.System.Doctor(ctx)...)}), nil
}
