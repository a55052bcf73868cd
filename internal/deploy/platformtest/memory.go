package platformtest

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/release"
)

// Memory is a platform that serves nothing and records its calls. It is for tests of the
// use-cases, which can make any call fail before or after it took effect. It is safe for
// concurrent use. Make it with NewMemory.
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
	held    map[anchor.DeploymentID]bool
	numbers map[anchor.DeploymentID]int
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
		held:    map[anchor.DeploymentID]bool{},
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

// Holds reports whether the platform keeps anything of the deployment.
func (m *Memory) Holds(d anchor.DeploymentID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.held[d]
}

// Held returns the deployments that the platform keeps anything of, oldest first.
func (m *Memory) Held() []anchor.DeploymentID {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.held))
}

// Routed returns the deployment that the project's traffic reaches, "" before the first.
func (m *Memory) Routed(p anchor.ProjectID) anchor.DeploymentID {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.routed[p].Deployment
}

func (m *Memory) call(ctx context.Context, op string, d anchor.DeploymentID, do func()) error {
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
	do()
	m.calls = append(m.calls, Call{op, d})
	return fault
}

func (m *Memory) hold(ctx context.Context, op string, d anchor.DeploymentID) error {
	return m.call(ctx, op, d, func() { m.held[d] = true })
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
	return m.call(ctx, "Check", a.Deployment.ID, func() {})
}

// Upload implements deploy.Assets.
func (m *Memory) Upload(ctx context.Context, a deploy.Artifact, _ deploy.Note) error {
	return m.hold(ctx, "Upload", a.Deployment.ID)
}

// Purge implements deploy.Assets.
func (m *Memory) Purge(ctx context.Context, live anchor.Live) error {
	return m.call(ctx, "Purge", live.Deployment, func() {})
}

// Publish implements deploy.Functions.
func (m *Memory) Publish(ctx context.Context, a deploy.Artifact, _ deploy.Note) (map[string]anchor.FunctionVersion, error) {
	number := ""
	err := m.call(ctx, "Publish", a.Deployment.ID, func() {
		m.held[a.Deployment.ID] = true
		if m.numbers[a.Deployment.ID] == 0 {
			m.numbers[a.Deployment.ID] = len(m.numbers) + 1
		}
		number = strconv.Itoa(m.numbers[a.Deployment.ID])
	})
	if err != nil {
		return nil, err
	}
	versions := map[string]anchor.FunctionVersion{}
	for _, f := range a.Build.Functions {
		versions[f.Name] = anchor.FunctionVersion{Version: number, VersionARN: "arn:test:" + f.Name + ":" + number}
	}
	return versions, nil
}

// Probe implements deploy.Functions.
func (m *Memory) Probe(ctx context.Context, a deploy.Artifact, _ deploy.Note) error {
	return m.call(ctx, "Probe", a.Deployment.ID, func() {})
}

// Seed implements deploy.Cache.
func (m *Memory) Seed(ctx context.Context, a deploy.Artifact, _ deploy.Note) error {
	return m.hold(ctx, "Seed", a.Deployment.ID)
}

// Prepare implements release.Traffic.
func (m *Memory) Prepare(
	ctx context.Context, _ anchor.ProjectID, target func(context.Context) (anchor.Deployment, error),
) (release.Switch, error) {
	d, err := target(ctx)
	if err != nil {
		return nil, err
	}
	if err := m.call(ctx, "Prepare", d.Serves(), func() {}); err != nil {
		return nil, err
	}
	return release.SwitchFunc(func(ctx context.Context, live anchor.Live) error { return m.route(ctx, "Commit", live) }), nil
}

// Follow implements release.Traffic.
func (m *Memory) Follow(ctx context.Context, live anchor.Live) error {
	return m.route(ctx, "Follow", live)
}

func (m *Memory) route(ctx context.Context, op string, live anchor.Live) error {
	return m.call(ctx, op, live.Deployment, func() {
		if m.routed[live.ProjectID].Revision < live.Revision {
			m.routed[live.ProjectID] = live
		}
	})
}

// Remove implements release.Remover.
func (m *Memory) Remove(ctx context.Context, d anchor.Deployment) error {
	return m.call(context.WithoutCancel(ctx), "Remove", d.ID, func() { delete(m.held, d.ID) })
}
