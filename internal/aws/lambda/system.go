package lambda

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// system describes the installation.
type system struct {
	Parts
	started time.Time // of this process, which is one of many and lives for minutes
}

// Status implements api.System.
func (s system) Status(ctx context.Context) (wire.Status, error) {
	lives, err := s.Store.Lives(ctx)
	if err != nil {
		return wire.Status{}, err
	}
	status := wire.Status{
		Version: s.Version, Platform: "aws", UptimeMS: time.Since(s.started).Milliseconds(),
		Sites: "https://<distribution>.cloudfront.net", Data: s.Installation + " in " + s.Region,
		Live: []wire.Serving{}, Workers: []wire.Worker{},
		Target: &wire.Machine{OS: "linux", Libc: "glibc"}, // Lambda runs both architectures
	}
	for _, live := range lives {
		p, err := s.Store.Project(ctx, live.ProjectID)
		if errors.Is(err, anchor.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return wire.Status{}, err
		}
		url, _ := s.Cloud.URLs(p, "")
		status.Live = append(status.Live, wire.Serving{
			Project: wire.Project{Project: p, URL: url}, DeploymentID: live.Deployment, Version: live.Version,
			DividedSince: live.DividedSince, Split: api.DescribeSplit(live, nil),
		})
	}
	return status, nil
}

// Doctor implements api.System.
func (s system) Doctor(ctx context.Context) []wire.Check {
	records := wire.Check{Name: "records", OK: true, Detail: "the tables answer"}
	unfinished, err := s.Store.Unfinished(ctx)
	if err != nil {
		records.OK, records.Detail, records.Hint = false, err.Error(), anchor.HintOf(err)
		return []wire.Check{records}
	}
	return []wire.Check{records, waiting(unfinished), s.artifacts(ctx), s.runtimes(ctx, time.Now())}
}

// late is the age at which a deployment should have ended.
const late = time.Hour

func waiting(unfinished []anchor.Deployment) wire.Check {
	c := wire.Check{Name: "deployments", OK: true, Detail: fmt.Sprintf("%d under way", len(unfinished))}
	for _, d := range unfinished {
		if asked := time.UnixMilli(d.CreatedAt); time.Since(asked) > late {
			c.OK = false
			c.Detail = fmt.Sprintf("deployment %s is %s since %s", d.ID, d.Status, asked.UTC().Format(time.DateTime))
			c.Hint = "Look at the log of the deploy handler, or cancel it."
			break
		}
	}
	return c
}
