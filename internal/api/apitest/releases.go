package apitest

import (
	"context"
	"fmt"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/release"
)

type releases struct{ *Anchor }

// move needs mu.
func (a *Anchor) move(d anchor.Deployment, kind anchor.ReleaseKind, record anchor.DeploymentID) anchor.Live {
	from := a.live[d.ProjectID]
	r := anchor.Release{
		ID: anchor.ReleaseID(anchor.NewID()), ProjectID: d.ProjectID, Kind: kind, Deployment: d.ID, From: from.Deployment,
		Record: record, Version: d.Version, CreatedAt: now(), Revision: from.Revision + 1,
	}
	a.releases = append(a.releases, r)
	live := anchor.Live{ProjectID: d.ProjectID, Deployment: d.ID, Record: record, Version: d.Version, Release: r.ID, Revision: r.Revision}
	a.live[d.ProjectID] = live
	return live
}

// servable needs mu.
func (a *Anchor) servable(p anchor.ProjectID, id anchor.DeploymentID) (*deployment, error) {
	d, err := a.get(p, id)
	if err != nil {
		return nil, err
	}
	if !d.CanServe() {
		return nil, anchor.Conflict("not_deployed", "deployment %s is %s and cannot go live", id, d.Status).
			Hintf("Choose one that is deployed.")
	}
	return d, nil
}

func (a releases) Promote(_ context.Context, p anchor.ProjectID, id anchor.DeploymentID) (release.Result, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	d, err := a.servable(p, id)
	if err != nil {
		return release.Result{}, err
	}
	before := a.live[p].Version
	live := a.move(d.Deployment, anchor.ReleasePromote, d.ID)
	return release.Result{Record: d.Deployment, Live: live, PreviousVersion: before, Took: 7 * time.Millisecond}, nil
}

func (a releases) Rollback(_ context.Context, p anchor.ProjectID, target anchor.DeploymentID) (release.Result, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if target == "" {
		if target = a.before(p); target == "" {
			return release.Result{}, anchor.Conflict("nothing_before", "nothing was live before").Hintf("Name a deployment.")
		}
	}
	d, err := a.servable(p, target)
	if err != nil {
		return release.Result{}, err
	}
	before := a.live[p].Version
	record := d.Deployment
	record.ID, record.CreatedAt = anchor.DeploymentID(anchor.NewID()), now()
	record.IsRollback, record.RollbackFrom, record.RollbackTo = true, before, target
	record.Version = fmt.Sprintf("rollback-%s-%d", target, record.CreatedAt)
	a.deploys = append(a.deploys, &deployment{Deployment: record, stop: make(chan struct{})})
	live := a.move(d.Deployment, anchor.ReleaseRollback, record.ID)
	return release.Result{Record: record, Live: live, PreviousVersion: before, Took: 9 * time.Millisecond}, nil
}

// before gives what the newest release of a project replaced; it needs mu.
func (a *Anchor) before(p anchor.ProjectID) anchor.DeploymentID {
	for i := len(a.releases) - 1; i >= 0; i-- {
		if a.releases[i].ProjectID == p {
			return a.releases[i].From
		}
	}
	return ""
}

func (a releases) List(_ context.Context, p anchor.ProjectID, pg anchor.Page) (anchor.List[anchor.Release], error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var rows []anchor.Release
	for _, r := range a.releases {
		if r.ProjectID == p {
			rows = append(rows, r)
		}
	}
	return page(rows, pg, func(r anchor.Release) string { return string(r.ID) })
}

func (a releases) Live(_ context.Context, p anchor.ProjectID) (anchor.Live, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	live, ok := a.live[p]
	if !ok {
		return live, anchor.NotFound("not_live", "nothing is live in this project").Hintf("Deploy it.")
	}
	return live, nil
}
