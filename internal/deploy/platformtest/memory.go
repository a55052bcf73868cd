package platformtest

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/release"
)

// Memory is a platform for tests of the use-cases, which can make any call fail before or after
// it took effect. It passes the suite: Do serves the apps that NewApp returns. It does not run
// JavaScript, so its probe refuses every other app. It is safe for concurrent use. Make it with
// NewMemory.
type Memory struct {
	// Fault, when set, is called before every call with the port's method and the deployment.
	// If it returns an error, the call fails with it: before it takes effect, or, if apply is
	// true, after it. It is called without a lock held and may block. Set it before the Memory
	// is shared.
	Fault func(ctx context.Context, op string, d anchor.DeploymentID) (apply bool, err error)

	// Refuse, when set, is what CheckManifest returns. Set it before the Memory is shared.
	Refuse func(p anchor.Project, m artifact.Manifest, env map[string]string) error

	mu      sync.Mutex
	calls   []Call
	sites   map[anchor.DeploymentID]*memorySite
	numbers map[anchor.DeploymentID]int // of the versions; they outlive the site
	routed  map[anchor.ProjectID]anchor.Live
}

// Call is a call of a port that took effect.
type Call struct {
	Op         string
	Deployment anchor.DeploymentID
}

// NewMemory returns an empty platform.
func NewMemory() *Memory {
	return &Memory{
		sites:   map[anchor.DeploymentID]*memorySite{},
		numbers: map[anchor.DeploymentID]int{},
		routed:  map[anchor.ProjectID]anchor.Live{},
	}
}

// Calls returns the calls that took effect, in order.
func (m *Memory) Calls() []Call {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.calls)
}

// Holds reports whether the platform stores anything of the deployment.
func (m *Memory) Holds(d anchor.DeploymentID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sites[d] != nil
}

// Held returns the deployments that the platform stores anything of, oldest first.
func (m *Memory) Held() []anchor.DeploymentID {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.sites))
}

// Routed returns the deployment that the project's traffic reaches, "" before the first.
func (m *Memory) Routed(p anchor.ProjectID) anchor.DeploymentID {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.routed[p].Deployment
}

// call runs do under the lock, between the faults. A call that fails has no effect.
func (m *Memory) call(ctx context.Context, op string, d anchor.DeploymentID, do func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	apply, fault := false, error(nil)
	if m.Fault != nil {
		apply, fault = m.Fault(ctx, op, d)
	}
	if fault != nil && !apply {
		return fault
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := do(); err != nil {
		return err
	}
	m.calls = append(m.calls, Call{op, d})
	return fault
}

// CheckManifest implements deploy.Limits.
func (m *Memory) CheckManifest(p anchor.Project, manifest artifact.Manifest, env map[string]string) error {
	if m.Refuse == nil {
		return nil
	}
	return m.Refuse(p, manifest, env)
}

// Check implements deploy.Limits.
func (m *Memory) Check(ctx context.Context, a deploy.Artifact) error {
	return m.call(ctx, "Check", a.Deployment.ID, func() error { return nil })
}

// Upload implements deploy.Assets.
func (m *Memory) Upload(ctx context.Context, a deploy.Artifact, _ deploy.Note) error {
	return m.call(ctx, "Upload", a.Deployment.ID, func() error { return m.site(a).readAssets(a) })
}

// AssetsPath implements deploy.Assets.
func (m *Memory) AssetsPath(d anchor.Deployment) string { return "deployments/" + string(d.ID) }

// Purge implements deploy.Assets. Nothing is cached here.
func (m *Memory) Purge(ctx context.Context, live anchor.Live) error {
	return m.call(ctx, "Purge", live.Deployment, func() error { return nil })
}

// Publish implements deploy.Functions.
func (m *Memory) Publish(ctx context.Context, a deploy.Artifact, _ deploy.Note) (versions map[string]anchor.FunctionVersion, err error) {
	err = m.call(ctx, "Publish", a.Deployment.ID, func() error {
		if m.numbers[a.Deployment.ID] == 0 {
			m.numbers[a.Deployment.ID] = len(m.numbers) + 1
		}
		versions, err = m.site(a).publish(a, m.numbers[a.Deployment.ID])
		return err
	})
	if err != nil {
		return nil, err
	}
	return versions, nil
}

// Probe implements deploy.Functions.
func (m *Memory) Probe(ctx context.Context, a deploy.Artifact, _ deploy.Note) error {
	return m.call(ctx, "Probe", a.Deployment.ID, func() error { return m.probe(a) })
}

// Seed implements deploy.Cache.
func (m *Memory) Seed(ctx context.Context, a deploy.Artifact, _ deploy.Note) error {
	return m.call(ctx, "Seed", a.Deployment.ID, func() error { return m.site(a).seed(a) })
}

// Prepare implements release.Traffic.
func (m *Memory) Prepare(
	ctx context.Context, _ anchor.ProjectID, target func(context.Context) (anchor.Deployment, error),
) (release.Switch, error) {
	d, err := target(ctx)
	if err != nil {
		return nil, err
	}
	if err := m.call(ctx, "Prepare", d.Serves(), func() error { return m.checkSite(d.Serves()) }); err != nil {
		return nil, err
	}
	return release.SwitchFunc(func(ctx context.Context, live anchor.Live) error { return m.route(ctx, "Commit", live) }), nil
}

// Follow implements release.Traffic.
func (m *Memory) Follow(ctx context.Context, live anchor.Live) error {
	return m.route(ctx, "Follow", live)
}

func (m *Memory) route(ctx context.Context, op string, live anchor.Live) error {
	return m.call(ctx, op, live.Deployment, func() error {
		if m.routed[live.ProjectID].Revision >= live.Revision {
			return nil
		}
		if err := m.checkSite(live.Deployment); err != nil {
			return err
		}
		if live.Split != nil {
			if err := m.checkSite(live.Split.Deployment); err != nil {
				return err
			}
		}
		m.routed[live.ProjectID] = live
		return nil
	})
}

// Remove implements release.Remover. An answer is complete when Do returns it, so that there is
// nothing to wait for.
func (m *Memory) Remove(ctx context.Context, d anchor.Deployment) error {
	return m.call(context.WithoutCancel(ctx), "Remove", d.ID, func() error {
		delete(m.sites, d.ID)
		return nil
	})
}

// RemoveProject implements project.Remover.
func (m *Memory) RemoveProject(ctx context.Context, p anchor.ProjectID) error {
	return m.call(ctx, "RemoveProject", "", func() error {
		maps.DeleteFunc(m.sites, func(_ anchor.DeploymentID, s *memorySite) bool { return s.project.ID == p })
		delete(m.routed, p)
		return nil
	})
}
