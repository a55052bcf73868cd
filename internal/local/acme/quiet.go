package acme

import (
	"context"
	"log/slog"
)

// quietLogger returns a logger for acmez that lowers all its records to the level debug: this package
// itself logs what matters to the operator, in fewer words.
func quietLogger(log *slog.Logger) *slog.Logger { return slog.New(loweredHandler{log.Handler()}) }

type loweredHandler struct{ slog.Handler }

func (h loweredHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return h.Handler.Enabled(ctx, belowLevel(l))
}

func (h loweredHandler) Handle(ctx context.Context, r slog.Record) error {
	r.Level = belowLevel(r.Level)
	return h.Handler.Handle(ctx, r)
}

func (h loweredHandler) WithAttrs(a []slog.Attr) slog.Handler {
	return loweredHandler{h.Handler.WithAttrs(a)}
}

func (h loweredHandler) WithGroup(name string) slog.Handler {
	return loweredHandler{h.Handler.WithGroup(name)}
}

func belowLevel(l slog.Level) slog.Level {
	if l >= slog.LevelWarn {
		return slog.LevelDebug + 1
	}
	return slog.LevelDebug
}
