package api

import (
	"context"
	"net/http"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *server) systemRoutes() {
	handle(s, operation("health", http.MethodGet, "/health", "", "Check that the API answers"), s.health)
	handle(s, operation("version", http.MethodGet, "/version", "", "Get the version of Anchor"), s.version)
	handle(s, operation("status", http.MethodGet, "/status", anchor.ScopeRead, "Get the server, live projects and workers"), s.status)
	handle(s, operation("doctor", http.MethodGet, "/doctor", anchor.ScopeRead, "Diagnose problems of the server"), s.doctor)
}

func (s *server) health(context.Context, *none) (*body[wire.Health], error) {
	return answer(wire.Health{Status: "ok"}), nil
}

func (s *server) version(context.Context, *none) (*body[wire.Version], error) {
	return answer(wire.Version{Version: s.Version}), nil
}

func (s *server) status(ctx context.Context, _ *none) (*body[wire.Status], error) {
	status, err := s.System.Status(ctx)
	if err != nil {
		return nil, err
	}
	return answer(status), nil
}

func (s *server) doctor(ctx context.Context, _ *none) (*body[wire.Items[wire.Check]], error) {
	return answer(wire.Items[wire.Check]{Items: append([]wire.Check{}, s.System.Doctor(ctx)...)}), nil
}
