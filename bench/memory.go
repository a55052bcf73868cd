package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/client"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

const (
	each   = 5  // deployments of a project
	batch  = 20 // projects between restarts: each restart ends the workers that probes have left
	atOnce = 4  // deploys
	lives  = 10 // projects that go live at the end
	settle = 8 * time.Second
)

// measureMemory measures the memory of the Go process: alone, with many projects, and with a few
// of them live.
func measureMemory(ctx context.Context, l *lab) ([]result, error) {
	s, err := l.up(ctx, "")
	if err != nil {
		return nil, err
	}
	defer func() { s.stop() }()
	empty, err := s.weigh()
	if err != nil {
		return nil, err
	}
	files, busy, err := s.fill(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.restart(ctx); err != nil {
		return nil, err
	}
	full, err := s.weigh()
	if err != nil {
		return nil, err
	}
	workers, err := s.goLive(ctx)
	if err != nil {
		return nil, err
	}
	live, err := s.weigh()
	if err != nil {
		return nil, err
	}
	perLive := (live.rss - full.rss) / lives
	n := l.projects
	return []result{{
		what: "idle memory of Anchor, no project", ours: size(empty.rss), budget: "≤ 30 MB", verdict: judge(empty.rss <= 30<<20),
		how: []string{fmt.Sprintf("VmRSS of `anchor up` over an empty data folder, %s after it was ready; %s of it is its own (RssAnon), the rest pages of the binary.", settle, size(empty.anon))},
	}, {
		what: fmt.Sprintf("idle memory of Anchor, %d projects of %d deployments", n, each), ours: size(full.rss), budget: "≤ 90 MB", verdict: judge(full.rss <= 90<<20),
		how: []string{
			fmt.Sprintf("VmRSS of the Go process alone, %s after a restart over %d deployments of %d projects (RssAnon %s). They were made over the API, without release, of the storefront's build: "+
				"its own static files, routes, cache and functions (%d files a deployment), but a server bundle cut to a handler that starts at once. Each was unpacked, indexed, seeded and probed as any other; none is live, so that no Node.js runs. "+
				"Before the restart, %s after the last of %d deploys in one go, the process weighed %s.",
				settle, n*each, n, size(full.anon), files, settle, batch*each, size(busy.rss)),
			fmt.Sprintf("Then %d projects were made live, which holds a worker each (%d ran): the Go process weighed %s, %s more for each. Were all %d live, it would come to about %s by that; this last number is computed, not measured.",
				lives, workers, size(live.rss), size(perLive), n, size(full.rss+int64(n)*perLive)),
		},
	}}, nil
}

type weight struct{ rss, anon int64 }

// weigh returns the memory of the process after a pause.
func (s *server) weigh() (w weight, err error) {
	time.Sleep(settle)
	if w.rss, err = s.memory("VmRSS"); err != nil {
		return w, err
	}
	w.anon, err = s.memory("RssAnon")
	return w, err
}

func slug(n int) string { return fmt.Sprintf("p%03d", n) }

// fill creates the projects and their deployments, and measures the process after the last batch.
func (s *server) fill(ctx context.Context) (files int, busy weight, err error) {
	app, err := s.lab.cutApp()
	if err != nil {
		return 0, busy, err
	}
	tree := filepath.Join(app, ".open-next")
	m, err := scanBuild(ctx, app)
	if err != nil {
		return 0, busy, err
	}
	for first := 0; first < s.lab.projects; first += batch {
		if first > 0 {
			if err := s.restart(ctx); err != nil {
				return 0, busy, err
			}
		}
		client := s.client()
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(atOnce)
		for n := first; n < min(first+batch, s.lab.projects); n++ {
			group.Go(func() error { return fillProject(ctx, client, slug(n), tree, m) })
		}
		if err := group.Wait(); err != nil {
			return 0, busy, fmt.Errorf("%w\n%s", err, s.output)
		}
		s.lab.say("  %d projects", min(first+batch, s.lab.projects))
	}
	busy, err = s.weigh()
	return len(m.Files), busy, err
}

func fillProject(ctx context.Context, c *client.Client, project, tree string, m artifact.Manifest) error {
	if _, err := c.CreateProject(ctx, project, "main"); err != nil {
		return err
	}
	for range each {
		started, err := c.Start(ctx, project, wire.StartDeployment{Manifest: m, NoRelease: true})
		if err != nil {
			return err
		}
		id := started.Deployment.ID
		if _, err := c.Upload(ctx, project, id, client.Upload{Dir: tree, Manifest: m, Missing: started.Missing}); err != nil {
			return err
		}
		if _, err := c.Finish(ctx, project, id); err != nil {
			return err
		}
		for event, err := range c.Watch(ctx, project, id) {
			if err != nil {
				return err
			}
			if event.Phase == anchor.StatusChange && event.Status.Ended() && event.Status != anchor.Deployed {
				return fmt.Errorf("deployment %s of %s ended as %s: %s", id, project, event.Status, event.Message)
			}
		}
	}
	return nil
}

// goLive promotes one deployment of the first projects and counts their workers.
func (s *server) goLive(ctx context.Context) (workers int, err error) {
	c := s.client()
	for n := range lives {
		list, err := c.Deployments(ctx, slug(n), anchor.Page{})
		if err != nil {
			return 0, err
		}
		if len(list.Items) != each {
			return 0, fmt.Errorf("%s has %d deployments, not %d", slug(n), len(list.Items), each)
		}
		if _, err := c.Promote(ctx, slug(n), list.Items[0].ID, wire.Promote{}); err != nil {
			return 0, err
		}
	}
	time.Sleep(time.Second)
	status, err := c.Status(ctx)
	if err != nil {
		return 0, err
	}
	for _, w := range status.Workers {
		workers += w.Processes
	}
	return workers, nil
}
