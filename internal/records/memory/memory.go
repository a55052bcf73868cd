// Package memory keeps the records in maps: for tests of use-cases, which can
// make any call fail before or after it took effect. It passes recordstest.
package memory

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Store is the records in memory. It is safe for concurrent use. Make it with New.
type Store struct {
	// Fault, when set, is called with the method's name before every call. If it returns an
	// error, the call fails with it: before it takes effect, or, if apply is true, after it, as
	// with a lost answer. It is called without a lock held and may call the Store. Set it
	// before the Store is shared.
	Fault func(op string) (apply bool, err error)

	mu sync.Mutex
	data
}

// data is what a call changes: all of it, or, with an error, nothing.
type data struct {
	projects    map[anchor.ProjectID]anchor.Project
	deployments map[anchor.DeploymentID]anchor.Deployment
	removed     map[anchor.DeploymentID]bool // with their projects
	numbers     map[anchor.DeploymentID]int64
	lastNumber  map[anchor.ProjectID]int64
	lastOrder   map[anchor.ProjectID]int64
	releases    map[anchor.ProjectID][]anchor.Release // by revision, from 1
	events      map[anchor.DeploymentID][]anchor.Event
	tokens      map[string]anchor.Token
	env         map[anchor.ProjectID]map[anchor.EnvSlot]anchor.EnvVar
	locked      map[anchor.DeploymentID][]byte
	hostnames   map[anchor.HostnameID]anchor.Hostname
	signIns
}

// New returns an empty Store.
func New() *Store {
	return &Store{data: data{
		projects:    map[anchor.ProjectID]anchor.Project{},
		deployments: map[anchor.DeploymentID]anchor.Deployment{},
		removed:     map[anchor.DeploymentID]bool{},
		numbers:     map[anchor.DeploymentID]int64{},
		lastNumber:  map[anchor.ProjectID]int64{},
		lastOrder:   map[anchor.ProjectID]int64{},
		releases:    map[anchor.ProjectID][]anchor.Release{},
		events:      map[anchor.DeploymentID][]anchor.Event{},
		tokens:      map[string]anchor.Token{},
		env:         map[anchor.ProjectID]map[anchor.EnvSlot]anchor.EnvVar{},
		locked:      map[anchor.DeploymentID][]byte{},
		hostnames:   map[anchor.HostnameID]anchor.Hostname{},
		signIns:     newSignIns(),
	}}
}

// callWithFault runs do, which checks all it needs before it changes anything, under the
// lock and between the faults.
func callWithFault[T any](ctx context.Context, s *Store, op string, do func() (T, error)) (none T, err error) {
	if err := ctx.Err(); err != nil {
		return none, err
	}
	apply, fault := false, error(nil)
	if s.Fault != nil {
		apply, fault = s.Fault(op)
	}
	if fault != nil && !apply {
		return none, fault
	}
	s.mu.Lock()
	result, err := do()
	s.mu.Unlock()
	switch {
	case fault != nil:
		return none, fault
	case err != nil:
		return none, err
	}
	return result, nil
}

// changeWithFault is call for methods that return only an error.
func changeWithFault(ctx context.Context, s *Store, op string, do func() error) error {
	_, err := callWithFault(ctx, s, op, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

// newestFirst returns the rows of m that want accepts, sorted by key, the greatest first.
func newestFirst[K ~string, V any](m map[K]V, want func(K, V) bool) []V {
	found := []V{}
	for _, key := range slices.Backward(slices.Sorted(maps.Keys(m))) {
		if want(key, m[key]) {
			found = append(found, m[key])
		}
	}
	return found
}
