package release

import (
	"context"
	"fmt"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Option changes the release that Promote or Rollback writes.
type Option func(*request)

// request is what a caller asks for.
type request struct {
	*anchor.Release
	by string
}

// ForceReload ends the use of all earlier deployments by open tabs: their next request reaches the
// live deployment, and Next.js' router reloads the page.
func ForceReload(r *request) { r.ForceReload = true }

// By names who asks for the switch, in the record that a rollback writes.
func By(name string) Option { return func(r *request) { r.by = name } }

// Lister lists the releases of a project, newest first.
type Lister interface {
	Releases(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Release], error)
}

// TabsUntil returns the deployments that tabs opened before the last release may still use, and
// until when: those that were live, for window after they ceased to be live, unless a release since
// then forced a reload. The live deployment is not among them. A release that was undone counts as
// if it had not happened. With a window of 0 there are none.
func TabsUntil(
	ctx context.Context, records Lister, p anchor.ProjectID, window time.Duration, now time.Time,
) (map[anchor.DeploymentID]time.Time, error) {
	t := tabs{until: map[anchor.DeploymentID]time.Time{}, window: window, now: now}
	if window <= 0 {
		return t.until, nil
	}
	for page := (anchor.Page{Limit: anchor.DefaultPage}); ; {
		list, err := records.Releases(ctx, p, page)
		if err != nil {
			return nil, fmt.Errorf("list the releases of project %s: %w", p, err)
		}
		for _, r := range list.Items {
			if !t.add(r) {
				return t.until, nil
			}
		}
		if list.Next == "" {
			return t.until, nil
		}
		page.Cursor = list.Next
	}
}

// tabTargets returns which deployment requests of tabs lead to, by the id that the tabs send: of those
// that have the same id the live one, or else the one that was live last.
func tabTargets(kept []anchor.Deployment, live anchor.DeploymentID, until map[anchor.DeploymentID]time.Time) map[string]anchor.DeploymentID {
	targets := map[string]anchor.DeploymentID{}
	for _, d := range kept {
		end, usable := until[d.ID]
		if d.SkewID == "" || !usable && d.ID != live {
			continue
		}
		other, taken := targets[d.SkewID]
		if !taken || d.ID == live || other != live && end.After(until[other]) {
			targets[d.SkewID] = d.ID
		}
	}
	return targets
}

// tabs reads releases, newest first.
type tabs struct {
	until  map[anchor.DeploymentID]time.Time
	window time.Duration
	now    time.Time

	undone bool // the next release is one that was undone
	live   anchor.DeploymentID
	end    time.Time // when the next release's deployment ceased to be live
}

// add reports whether an older release can matter.
func (t *tabs) add(r anchor.Release) bool {
	switch {
	case r.Kind == anchor.ReleaseUndo:
		t.undone = true
		return true
	case t.undone:
		t.undone = false
		return true
	case t.live == "":
		t.live = r.Deployment
	default:
		until := t.end.Add(t.window)
		if !until.After(t.now) {
			return false
		}
		if _, known := t.until[r.Deployment]; !known && r.Deployment != t.live {
			t.until[r.Deployment] = until
		}
	}
	t.end = time.UnixMilli(r.CreatedAt)
	return !r.ForceReload
}
