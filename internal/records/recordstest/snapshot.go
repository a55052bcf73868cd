package recordstest

import (
	"slices"
	"sync"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// snapshot is everything that belongs to a project.
type snapshot struct {
	Project     anchor.Project
	Live        anchor.Live
	Deployments []anchor.Deployment
	Unfinished  []anchor.Deployment
	Releases    []anchor.Release
	Env         []anchor.EnvVar
	Events      []anchor.Event
	Locked      []string
	Hostnames   []anchor.Hostname
}

// furnish adds one or more rows of every kind to the project.
func (b bench) furnish(p anchor.ProjectID) {
	b.Helper()
	b.deployment(p, anchor.Queued)
	for range 2 {
		d := b.deployment(p, anchor.Deployed)
		b.goLive(d)
		must(b.s.Number(b.ctx, d.ID))(b)
		must(b.s.Append(b.ctx, anchor.Event{DeploymentID: d.ID, Step: "probe", Phase: anchor.StepStart}))(b)
		must(b.s.LockEnv(b.ctx, d.ID, []byte("sealed of "+d.ID)))(b)
	}
	b.ok(b.s.SetLimits(b.ctx, p, anchor.Limits{MemoryBytes: 1 << 30}))
	b.ok(b.s.SetPreviewRetention(b.ctx, p, anchor.PreviewRetention{Keep: 4}))
	b.hostname(p, "www."+string(p)+".example")
	b.ok(b.s.PutEnv(b.ctx, p, []anchor.EnvVar{{Name: "A", Value: "\xff\x00", For: anchor.EnvRun, UpdatedAt: 1}}))
}

// snapshot reads everything of p; rows that do not exist stay zero.
func (b bench) snapshot(p anchor.ProjectID) (all snapshot) {
	b.Helper()
	all.Project = found(b.s.Project(b.ctx, p))(b)
	all.Live = found(b.s.Live(b.ctx, p))(b)
	all.Deployments = rows(must(b.s.Deployments(b.ctx, p, anchor.Page{Limit: anchor.MaxPage}))(b).Items)
	all.Releases = rows(must(b.s.Releases(b.ctx, p, anchor.Page{Limit: anchor.MaxPage}))(b).Items)
	all.Env = rows(must(b.s.EnvRows(b.ctx, p))(b))
	all.Hostnames = rows(must(b.s.Hostnames(b.ctx, p, anchor.Page{Limit: anchor.MaxPage}))(b).Items)
	all.Unfinished = rows(slices.DeleteFunc(must(b.s.Unfinished(b.ctx))(b), func(d anchor.Deployment) bool { return d.ProjectID != p }))
	for _, d := range all.Deployments {
		all.Events = append(all.Events, must(b.s.Events(b.ctx, d.ID, 0))(b)...)
		if locked := found(b.s.LockedEnv(b.ctx, d.ID))(b); locked != nil {
			all.Locked = append(all.Locked, string(locked))
		}
	}
	return all
}

// rows makes an empty list nil, so that two empty ones compare equal.
func rows[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

// found is must, but returns the zero value for NotFound.
func found[T any](v T, err error) func(b bench) T {
	if isKind(err, anchor.KindNotFound) {
		err = nil
	}
	return must(v, err)
}

// pages reads a list to its end in pages of limit and returns all keys.
func (b bench) pages(limit int, read func(anchor.Page) (keys []string, next string)) (got []string) {
	b.Helper()
	page := anchor.Page{Limit: limit}
	for range 100 {
		keys, next := read(page)
		got = append(got, keys...)
		if next == "" {
			return got
		}
		if len(keys) != limit {
			b.Errorf("a page of %d rows names a next one, want %d rows", len(keys), limit)
		}
		page.Cursor = next
	}
	b.Fatal("the pages do not end")
	return nil
}

func keys[T any](list []T, key func(T) string) (all []string) {
	for _, one := range list {
		all = append(all, key(one))
	}
	return all
}

// race calls do n times at once and returns how many succeeded. The others must have failed
// with a Conflict.
func (b bench) race(n int, do func(i int) error) (won int) {
	b.Helper()
	errs := make([]error, n)
	var start, done sync.WaitGroup
	start.Add(1)
	for i := range n {
		done.Go(func() {
			start.Wait()
			errs[i] = do(i)
		})
	}
	start.Done()
	done.Wait()
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			b.is(err, anchor.KindConflict, "")
		}
	}
	return won
}
