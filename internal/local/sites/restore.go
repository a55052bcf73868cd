package sites

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// Restore builds the table from the records. It completes what a crash left undone between the
// commit of a release and its publication, and restores missing files of a deployment as long as
// its contents exist.
func (p *Platform) Restore(ctx context.Context) error {
	lives, err := p.Records.Lives(ctx)
	if err != nil {
		return fmt.Errorf("read the live pointers: %w", err)
	}
	if err := p.restoreSites(ctx); err != nil {
		return err
	}
	if err := p.restoreShelves(ctx); err != nil {
		return err
	}
	p.setPointers(lives)
	if err := p.restoreTabs(ctx, lives); err != nil {
		return err
	}
	for _, live := range lives {
		if err := p.dataFolder().keepPointer(live); err != nil {
			return err
		}
		if s := p.site(live.Deployment); s != nil {
			s.setWarm(true)
			p.compileLater(s) // for the Node.js of now, which may be another one
		}
		if live.Split == nil {
			continue
		}
		if s := p.site(live.Split.Deployment); s != nil {
			s.setWarm(true)
		}
	}
	return nil
}

// restoreShelves makes the hashed files of pruned deployments available again.
func (p *Platform) restoreShelves(ctx context.Context) error {
	ids, err := p.dataFolder().Described()
	if err != nil {
		return err
	}
	for _, id := range ids {
		d, err := p.Records.Deployment(ctx, id)
		if errors.Is(err, anchor.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read deployment %s: %w", id, err)
		}
		if !d.KeepsAssets(time.Now()) {
			continue
		}
		if err := p.keepHashed(ctx, d); err != nil {
			slog.Error("keep the hashed files of a pruned deployment", "projectId", d.ProjectID, "deploymentId", id, "error", err)
		}
	}
	return nil
}

// restoreSites opens every deployment that can serve. One that cannot be opened does not block the
// others.
func (p *Platform) restoreSites(ctx context.Context) error {
	for page := (anchor.Page{Limit: anchor.MaxPage}); ; {
		projects, err := p.Records.Projects(ctx, page)
		if err != nil {
			return fmt.Errorf("list the projects: %w", err)
		}
		for _, project := range projects.Items {
			if project.Removing {
				continue // it is offline, and RemoveProject finds its files by its records
			}
			kept, err := p.Records.Kept(ctx, project.ID)
			if err != nil {
				return fmt.Errorf("list the kept deployments of project %s: %w", project.Slug, err)
			}
			for _, d := range kept {
				if err := p.restoreSite(ctx, project, d); err != nil {
					p.markDamaged(project, d.ID, err)
				}
			}
		}
		if projects.Next == "" {
			return nil
		}
		page.Cursor = projects.Next
	}
}

func (p *Platform) restoreSite(ctx context.Context, project anchor.Project, d anchor.Deployment) error {
	env, err := p.Secrets.Locked(ctx, d.ID)
	if errors.Is(err, anchor.ErrNotFound) { // its record was rebuilt from files of an older Anchor
		slog.Warn("a deployment runs without its variables, which were lost", "projectId", project.ID, "deploymentId", d.ID)
	} else if err != nil {
		return fmt.Errorf("read the deployment's environment: %w", err)
	}
	desc, whole := p.readDescribed(d.ID)
	seeded, err := p.Cache.Has(ctx, string(d.ID))
	if err != nil {
		return err
	}
	if !whole || !seeded {
		if desc, err = p.rebuildSite(ctx, project, d, env); err != nil {
			return err
		}
		slog.Warn("rebuilt the missing files of a deployment", "projectId", project.ID, "deploymentId", d.ID)
	}
	desc.Ready = true
	if desc.BranchLabel == "" { // rebuilt, or of an older Anchor
		desc.BranchLabel = p.branchLabel(desc)
	}
	return p.openSite(desc, env)
}

// readDescribed reads a deployment's description and reports whether everything that its site is served
// from is in its place. It looks at names, not into files.
func (p *Platform) readDescribed(id anchor.DeploymentID) (Description, bool) {
	d, err := p.dataFolder().Description(id)
	if err != nil {
		return d, false
	}
	d.Dir = p.Bundles.Tree(id)
	for _, path := range []string{p.dataFolder().indexPath(id), d.Dir} {
		if _, err := os.Stat(path); err != nil {
			return d, false
		}
	}
	return d, true
}

// rebuildSite recreates from a deployment's artifact what its site is served from: its tree, the index
// of its static files, its first cache entries, its description.
func (p *Platform) rebuildSite(ctx context.Context, project anchor.Project, d anchor.Deployment, env map[string]string) (Description, error) {
	if _, err := p.Bundles.TakeBack(ctx, d.ID); err != nil {
		return Description{}, err
	}
	dir, manifest, err := p.Bundles.Unpack(ctx, d.ID)
	if err != nil {
		return Description{}, err
	}
	build, err := opennext.Parse(os.DirFS(dir))
	if err != nil {
		return Description{}, err
	}
	a := deploy.Artifact{Project: project, Deployment: d, Build: build, Manifest: manifest, Dir: dir, Env: env}
	silent := func(string, ...any) {}
	if err := p.Upload(ctx, a, silent); err != nil {
		return Description{}, err
	}
	if err := p.Seed(ctx, a, silent); err != nil {
		return Description{}, err
	}
	if err := p.markReady(ctx, a); err != nil {
		return Description{}, err
	}
	return p.describeArtifact(a), nil
}

// Health is what Examine found of a project's live site.
type Health struct {
	Project    anchor.Project
	Deployment anchor.DeploymentID
	Damaged    int   // files that were missing or held something else
	Left       int   // of those, files that could not be put right
	Err        error // why the site could not be examined or restored
}

// Well reports whether nothing was wrong.
func (h Health) Well() bool { return h.Damaged == 0 && h.Err == nil }

// Examine compares the files of every live deployment with the upload, and restores what it can
// from the contents. It reads every file.
func (p *Platform) Examine(ctx context.Context) ([]Health, error) {
	lives, err := p.Records.Lives(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the live pointers: %w", err)
	}
	var all []Health
	for _, live := range lives {
		project, err := p.Records.Project(ctx, live.ProjectID)
		if errors.Is(err, anchor.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		h := Health{Project: project, Deployment: live.Deployment}
		h.Err = p.examineFiles(ctx, &h)
		all = append(all, h)
	}
	return all, ctx.Err()
}

func (p *Platform) examineFiles(ctx context.Context, h *Health) error {
	if _, err := p.Bundles.TakeBack(ctx, h.Deployment); err != nil {
		return err
	}
	found, err := p.Bundles.Inspect(ctx, h.Deployment)
	if err != nil {
		return err
	}
	_, whole := p.readDescribed(h.Deployment)
	h.Damaged = len(found.Missing) + len(found.Changed)
	if whole && p.site(h.Deployment) != nil && !found.Any() {
		return nil
	}
	h.Damaged = max(h.Damaged, 1)
	if found.Any() {
		left, err := p.Bundles.Heal(ctx, h.Deployment)
		h.Left = len(left.Missing) + len(left.Changed)
		if err == nil {
			err = p.admitProject(h.Project.ID, h.Deployment) // a restored tree is closed to everyone
		}
		if err != nil || h.Left > 0 {
			return err
		}
	}
	d, err := p.Records.Deployment(ctx, h.Deployment)
	if err != nil {
		return err
	}
	return p.restoreSite(ctx, h.Project, d)
}
