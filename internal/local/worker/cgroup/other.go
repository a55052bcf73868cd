//go:build !linux

package cgroup

import (
	"errors"
	"os"
	"sync"
)

// ErrNotDelegated is for Linux alone.
var ErrNotDelegated = errors.New("the service manager has not delegated Anchor's control group to it")

// Tree has no groups: control groups are Linux's.
type Tree struct {
	mu     sync.Mutex
	groups map[string]*Group
}

// Open returns a Tree without groups.
func Open() *Tree { return &Tree{groups: map[string]*Group{}} }

// Folder returns nil.
func (t *Tree) Folder() *os.File { return nil }

// Held returns nothing.
func (t *Tree) Held() Controllers { return Controllers{} }

// Why says that only Linux has control groups.
func (t *Tree) Why() error { return errors.New("only Linux has control groups") }

// Shared returns nil.
func (t *Tree) Shared() *Group { return nil }

// Group returns what remembers limits.
func (t *Tree) Group(name string) *Group {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.groups[name] == nil {
		t.groups[name] = &Group{}
	}
	return t.groups[name]
}

// Refused returns nil: no group shares another's limits.
func (t *Tree) Refused(string) error { return nil }

// Usage returns nothing.
func (t *Tree) Usage(string) Usage { return Usage{} }

// Remove forgets the group.
func (t *Tree) Remove(name string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.groups, name)
	return nil
}

// Close does nothing.
func (t *Tree) Close() error { return nil }

// Group remembers limits.
type Group struct {
	mu     sync.Mutex
	limits Limits
}

// Members returns nil.
func (g *Group) Members() *os.File { return nil }

// Why returns nil: there are no groups at all.
func (g *Group) Why() error { return nil }

// Set remembers limits.
func (g *Group) Set(l Limits) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limits = l
	return nil
}

// Limits returns the limits that were set.
func (g *Group) Limits() Limits {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.limits
}

// Unheld returns all limits.
func (g *Group) Unheld() Limits { return g.Limits() }

// Usage returns nothing.
func (g *Group) Usage() Usage { return Usage{} }

// TakeKill returns false.
func (g *Group) TakeKill() bool { return false }
