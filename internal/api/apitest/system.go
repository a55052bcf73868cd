package apitest

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/records/memory"
)

// sites names hosts as one machine does.
type sites struct{}

// URLs implements api.Sites.
func (sites) URLs(p anchor.Project, d anchor.DeploymentID) (site, deployment string) {
	site = "http://" + p.Slug + ".localhost:3000"
	if d != "" {
		deployment = "http://" + string(d) + "--" + p.Slug + ".localhost:3000"
	}
	return site, deployment
}

// system describes a machine that never changes, and what is live on it.
type system struct{ records *memory.Store }

// Status implements api.System.
func (s system) Status(ctx context.Context) (wire.Status, error) {
	status := wire.Status{
		Version: "test", Platform: "local", UptimeMS: 90_000, Node: "20.0.0",
		Sites: "http://<project>.localhost:3000", API: "http://127.0.0.1:3080", Data: "/var/lib/anchor",
		Disk: wire.Disk{FreeBytes: 12e9, ArtifactBytes: 50e6}, Live: []wire.Serving{}, Workers: []wire.Worker{},
		Target: &wire.Machine{OS: "linux", Arch: "riscv64", Libc: "musl"}, // rarely that of a test
	}
	lives, err := s.records.Lives(ctx)
	if err != nil {
		return status, err
	}
	for _, live := range lives {
		p, err := s.records.Project(ctx, live.ProjectID)
		if err != nil {
			return status, err
		}
		url, _ := sites{}.URLs(p, "")
		status.Live = append(status.Live, wire.Serving{
			Project: wire.Project{Project: p, URL: url}, DeploymentID: live.Deployment, Version: live.Version,
			DividedSince: live.DividedSince, Split: api.DescribeSplit(live, nil),
		})
		status.Workers = append(status.Workers, wire.Worker{
			DeploymentID: live.Deployment, Slug: p.Slug, Function: anchor.ServerFunction, Processes: 1, MemoryBytes: 120e6,
		})
	}
	return status, nil
}

// Doctor implements api.System.
func (system) Doctor(context.Context) []wire.Check {
	return []wire.Check{{Name: "disk", OK: true, Detail: "12 GB free"}}
}
