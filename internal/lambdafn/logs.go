package lambdafn

import (
	"context"
	"iter"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/httpapi/wire"
	"github.com/anchor-deploy/anchor/internal/logs"
)

// Logs reads what the apps wrote; httpapi.Tail is the contract.
type Logs interface {
	Read(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID, limit int) ([]logs.Line, error)
	Follow(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID) iter.Seq2[logs.Line, error]
	Settled() int64
	Since(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID, from int64) iter.Seq2[logs.Line, error]
}

// logReader gives the API lines in its own words.
type logReader struct{ logs Logs }

func (l logReader) Read(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID, limit int) ([]wire.LogLine, error) {
	lines, err := l.logs.Read(ctx, p, d, limit)
	out := make([]wire.LogLine, len(lines))
	for i, line := range lines {
		out[i] = wire.LogLine(line)
	}
	return out, err
}

func (l logReader) Follow(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID) iter.Seq2[wire.LogLine, error] {
	return inWire(l.logs.Follow(ctx, p, d))
}

func (l logReader) Settled() int64 { return l.logs.Settled() }

func (l logReader) Since(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID, from int64) iter.Seq2[wire.LogLine, error] {
	return inWire(l.logs.Since(ctx, p, d, from))
}

func inWire(lines iter.Seq2[logs.Line, error]) iter.Seq2[wire.LogLine, error] {
	return func(yield func(wire.LogLine, error) bool) {
		for line, err := range lines {
			if !yield(wire.LogLine(line), err) {
				return
			}
		}
	}
}
