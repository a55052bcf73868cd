package project

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// maxSet is the number of variables one call may set: what a store takes in one
// transaction (DynamoDB, TransactWriteItems).
const maxSet = 100

// EnvPorts are what Env works with.
type EnvPorts struct {
	Variables Variables
	Box       Box
}

// EnvOptions tune Env. The zero value is ready for production.
type EnvOptions struct {
	Now func() time.Time // time.Now when nil
}

// Env keeps the environment variables of projects, and of each deployment those
// it was deployed with.
type Env struct {
	EnvPorts
	EnvOptions
}

// NewEnv returns the use-case over its ports.
func NewEnv(p EnvPorts, o EnvOptions) *Env { return &Env{EnvPorts: p, EnvOptions: o} }

// Set sets all of vars or none; one set before is replaced. UpdatedAt is Set's
// to fill. Invalid for a variable that cannot be one or comes twice.
func (e *Env) Set(ctx context.Context, p anchor.ProjectID, vars []anchor.EnvVar) error {
	if err := checkSet(vars); err != nil {
		return err
	}
	sealed := make([]anchor.EnvVar, len(vars))
	for i, v := range vars {
		v.Value = string(e.Box.Seal([]byte(v.Value), placeOf(p, v)...))
		v.UpdatedAt = now(e.Now)
		sealed[i] = v
	}
	return e.Variables.PutEnv(ctx, p, sealed)
}

func checkSet(vars []anchor.EnvVar) error {
	if len(vars) > maxSet {
		return anchor.TooLarge("too_many_env", "the request sets %d variables, which is too many", len(vars)).
			Hintf("Set at most %d per request.", maxSet)
	}
	seen := map[anchor.EnvSlot]bool{}
	for _, v := range vars {
		if err := anchor.CheckEnv(v); err != nil {
			return err
		}
		if seen[v.Slot()] {
			return anchor.Invalid("bad_env", "%s is set twice", v.Name).Hintf("Set each variable once.")
		}
		seen[v.Slot()] = true
	}
	return nil
}

// List returns the project's variables by name, with their values only if reveal.
func (e *Env) List(ctx context.Context, p anchor.ProjectID, reveal bool) ([]anchor.EnvVar, error) {
	vars, err := e.Variables.EnvRows(ctx, p)
	if err != nil {
		return nil, err
	}
	for i := range vars {
		value := ""
		if reveal {
			if value, err = e.openValue(p, vars[i]); err != nil {
				return nil, err
			}
		}
		vars[i].Value = value
	}
	return vars, nil
}

// Remove removes a variable, or returns NotFound. Deployments keep the variables that they were
// deployed with.
func (e *Env) Remove(ctx context.Context, p anchor.ProjectID, slot anchor.EnvSlot) error {
	return e.Variables.DeleteEnv(ctx, p, slot)
}

// RemoveBranch removes the variables that only previews of the branch have, and returns their number.
func (e *Env) RemoveBranch(ctx context.Context, p anchor.ProjectID, branch string) (removed int, err error) {
	vars, err := e.Variables.EnvRows(ctx, p)
	if err != nil || branch == "" {
		return 0, err
	}
	for _, v := range vars {
		if v.Branch != branch {
			continue
		}
		if err := e.Variables.DeleteEnv(ctx, p, v.Slot()); err != nil && !errors.Is(err, anchor.ErrNotFound) {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// ActionsKey is the variable with the key from which Next.js makes the ids of Server Actions and by
// which it encrypts their bound arguments: base64 of an AES key (next/dist/build/webpack-config.js,
// server/app-render/encryption-utils.js). Without it each build makes a key of its own, and a tab's
// actions fail as soon as another build answers them.
const ActionsKey = "NEXT_SERVER_ACTIONS_ENCRYPTION_KEY"

// ForBuild returns the variables that a build in the scope sees. ActionsKey is among them: the project's own, the same
// for all its builds, unless the user has set one.
func (e *Env) ForBuild(ctx context.Context, p anchor.ProjectID, scope anchor.EnvScope) (map[string]string, error) {
	values, err := e.valuesFor(ctx, p, anchor.EnvBuild, scope)
	if err != nil || values[ActionsKey] != "" {
		return values, err
	}
	key, err := e.Box.Derive("actions-key", string(p))
	if err != nil {
		return nil, fmt.Errorf("derive the key of the Server Actions of project %s: %w", p, err)
	}
	values[ActionsKey] = base64.StdEncoding.EncodeToString(key)
	return values, nil
}

// BuildNames returns the names of the project's variables that builds see, in order. A build may have
// inlined their values, which then stay as they are in all deployments of its files.
func (e *Env) BuildNames(ctx context.Context, p anchor.ProjectID) ([]string, error) {
	vars, err := e.Variables.EnvRows(ctx, p)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, v := range vars {
		if v.For.Covers(anchor.EnvBuild) {
			names = append(names, v.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// ForRun returns the run-time variables that Lock would fix now for a deployment in the scope.
func (e *Env) ForRun(ctx context.Context, p anchor.ProjectID, scope anchor.EnvScope) (map[string]string, error) {
	return e.valuesFor(ctx, p, anchor.EnvRun, scope)
}

// Lock fixes the run-time variables for the deployment, the project's in the scope and those of system,
// and returns them. Later calls return the same values, even when the project's have changed. NotFound
// when the deployment is unknown.
func (e *Env) Lock(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID, scope anchor.EnvScope, system map[string]string) (map[string]string, error) {
	values, err := e.Locked(ctx, d)
	if !errors.Is(err, anchor.ErrNotFound) {
		return values, err
	}
	if values, err = e.ForRun(ctx, p, scope); err != nil {
		return nil, err
	}
	maps.Copy(values, system)
	anchor.AddVercelNames(values)
	plain, err := encodeValues(values)
	if err != nil {
		return nil, fmt.Errorf("lock the environment of %s: %w", d, err)
	}
	sealed, err := e.Variables.LockEnv(ctx, d, e.Box.Seal(plain, lockedPlace(d)...))
	if err != nil {
		return nil, err
	}
	return e.unlockValues(d, sealed)
}

// Locked returns the variables the deployment was locked with, NotFound before.
func (e *Env) Locked(ctx context.Context, d anchor.DeploymentID) (map[string]string, error) {
	sealed, err := e.Variables.LockedEnv(ctx, d)
	if err != nil {
		return nil, err
	}
	return e.unlockValues(d, sealed)
}

// Sealed returns the variables the deployment was locked with as the records keep
// them, NotFound before.
func (e *Env) Sealed(ctx context.Context, d anchor.DeploymentID) ([]byte, error) {
	return e.Variables.LockedEnv(ctx, d)
}

func (e *Env) unlockValues(d anchor.DeploymentID, sealed []byte) (map[string]string, error) {
	plain, err := e.Box.Open(sealed, lockedPlace(d)...)
	if err != nil {
		return nil, err
	}
	values, err := decodeValues(plain)
	if err != nil {
		return nil, fmt.Errorf("read the environment of %s: %w", d, err)
	}
	return values, nil
}

// encodeValues writes the values as bytes, because a JSON string cannot hold every
// value that a variable can.
func encodeValues(values map[string]string) ([]byte, error) {
	raw := make(map[string][]byte, len(values))
	for name, value := range values {
		raw[name] = []byte(value)
	}
	return json.Marshal(raw)
}

func decodeValues(plain []byte) (map[string]string, error) {
	var raw map[string][]byte
	if err := json.Unmarshal(plain, &raw); err != nil {
		return nil, err
	}
	values := make(map[string]string, len(raw))
	for name, value := range raw {
		values[name] = string(value)
	}
	return values, nil
}

// valuesFor returns the values of the scope. A variable for a branch replaces the one for all previews,
// and that the one for every deployment.
func (e *Env) valuesFor(ctx context.Context, p anchor.ProjectID, phase anchor.EnvPhase, scope anchor.EnvScope) (map[string]string, error) {
	vars, err := e.Variables.EnvRows(ctx, p)
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	slices.SortStableFunc(vars, func(a, b anchor.EnvVar) int { return a.Slot().Compare(b.Slot()) })
	for _, v := range vars {
		if !v.For.Covers(phase) || !v.Slot().Reaches(scope) {
			continue
		}
		if values[v.Name], err = e.openValue(p, v); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func (e *Env) openValue(p anchor.ProjectID, v anchor.EnvVar) (string, error) {
	plain, err := e.Box.Open([]byte(v.Value), placeOf(p, v)...)
	return string(plain), err
}

// placeOf is where a variable's value opens. Of one without environment it is that of before there
// were any.
func placeOf(p anchor.ProjectID, v anchor.EnvVar) []string {
	place := []string{"env", string(p), v.Name}
	if v.Environment != "" {
		place = append(place, string(v.Environment), v.Branch)
	}
	return place
}

func lockedPlace(d anchor.DeploymentID) []string { return []string{"locked-env", string(d)} }
