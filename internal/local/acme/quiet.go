package acme

import (
	"context"
	"log/slog"
)

// quiet returns a logger for acmez that lowers all its records to the level debug: this package
// itself logs what matters to the operator, in fewer words.
func quiet(log *slog.Logger) *slog.Logger { return slog.New(loweredHandler{log.Handler()}) }

type loweredHandler struct{ slog.Handler }

func (h loweredHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return h.Handler.Enabled(ctx, below(l))
}

func (h loweredHandler) Handle(ctx context.Context, r slog.Record) error {
	r.Level = below(r.Level)
	return h.Handler.Handle(ctx, r)
}

func (h loweredHandler) WithAttrs(a []slog.Attr) slog.Handler {
	return loweredHandler{h.Handler.WithAttrs(a)}
}

func (h loweredHandler) WithGroup(name string) slog.Handler {
	return loweredHandler{h.Handler.WithGroup(name)}
}

func below(l slog.Level) slog.Level {
	if l >= slog.LevelWarn {
		return slog.LevelDebug + 1
	}
	return slog.LevelDebug
}
