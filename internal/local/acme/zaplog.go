package acme

import (
	"context"
	"log/slog"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// zapLogger is log for certmagic, which knows zap only. Its level is one lower: what matters to the operator this
// package says itself, in fewer words.
func zapLogger(log *slog.Logger) *zap.Logger { return zap.New(slogCore{log}) }

// slogCore is a zapcore.Core over a slog.Logger.
type slogCore struct{ log *slog.Logger }

func (c slogCore) Enabled(l zapcore.Level) bool {
	return c.log.Enabled(context.Background(), lowered(l))
}

func (c slogCore) With(fields []zapcore.Field) zapcore.Core {
	return slogCore{slog.New(c.log.Handler().WithAttrs(attrs(fields)))}
}

func (c slogCore) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return to.AddCore(e, c)
	}
	return to
}

func (c slogCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	c.log.LogAttrs(context.Background(), lowered(e.Level), e.Message, attrs(fields)...)
	return nil
}

func (c slogCore) Sync() error { return nil }

func lowered(l zapcore.Level) slog.Level {
	if l >= zapcore.ErrorLevel {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

func attrs(fields []zapcore.Field) []slog.Attr {
	values := zapcore.NewMapObjectEncoder()
	out := make([]slog.Attr, 0, len(fields))
	for _, f := range fields {
		f.AddTo(values)
	}
	for key, value := range values.Fields {
		out = append(out, slog.Any(key, value))
	}
	return out
}

// quiet is log for acmez, lowered in the same way.
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
