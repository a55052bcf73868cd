package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Remove implements release.Remover. It removes the deployment's URL first, then its functions,
// then its files and cache. Lambda lets requests in flight on a deleted version finish, so there
// is nothing to wait for.
func (p *Platform) Remove(ctx context.Context, d anchor.Deployment) error {
	ctx = context.WithoutCancel(ctx) // ctx bounds the wait for requests, not the removal
	project, err := p.project(ctx, d.ProjectID)
	if err != nil {
		return err
	}
	if err := p.front.Forget(ctx, project, d.ID); err != nil {
		return fmt.Errorf("remove the URL of deployment %s: %w", d.ID, err)
	}
	p.noteETag(ctx, d.ProjectID)
	if err := p.functions.Remove(ctx, project, d); err != nil {
		return fmt.Errorf("remove the functions of deployment %s: %w", d.ID, err)
	}
	remove := p.assets.Remove
	if d.KeepsAssets(p.Now()) {
		remove = p.assets.RemoveOwn
	}
	if err := remove(ctx, project, d.ID); err != nil {
		return fmt.Errorf("remove the files of deployment %s: %w", d.ID, err)
	}
	return nil
}

// RemoveProject removes everything that is left of a project, whether or not its record still
// exists. The distribution has to be disabled before it can be deleted, which takes CloudFront
// minutes. Until then the error is of KindBusy, and the next call continues.
func (p *Platform) RemoveProject(ctx context.Context, id anchor.ProjectID) error {
	project, err := p.recall(ctx, id)
	if errors.Is(err, anchor.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	// Functions and files can be removed while CloudFront takes its time. The note of the slug is
	// removed last: without it, nothing else would be found.
	if err := errors.Join(p.schedules.Remove(ctx, project), p.schedules.FollowWarmer(ctx, project, nil)); err != nil {
		return err
	}
	if err := p.removeAlarms(ctx, project); err != nil { // while the functions that name them exist
		return err
	}
	err = errors.Join(
		p.functions.RemoveProject(ctx, project),
		p.assets.RemoveProject(ctx, project),
		p.removeEdge(ctx, project),
	)
	if err != nil {
		return err
	}
	if err := p.roles.Remove(ctx, id); err != nil { // after the functions that run as it
		return err
	}
	if err := p.forget(ctx, id); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.projects, id)
	delete(p.sites, id)
	return nil
}

// removeEdge removes the distribution of the domains first, because it uses the other one's
// function.
func (p *Platform) removeEdge(ctx context.Context, project anchor.Project) error {
	if err := p.domains.RemoveProject(ctx, project); err != nil {
		return err
	}
	return p.front.RemoveProject(ctx, project)
}

// slugKey is where a project's slug is noted. A project's resources are removed after its record,
// when nothing else records the names of its resources.
func slugKey(id anchor.ProjectID) string { return "projects/" + string(id) + "/slug" }

// remember stores the project's slug, once.
func (p *Platform) remember(ctx context.Context, project anchor.Project) error {
	if _, err := p.recall(ctx, project.ID); !errors.Is(err, anchor.ErrNotFound) {
		return err
	}
	_, err := p.s3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &p.AssetsBucket, Key: sdk.String(slugKey(project.ID)), Body: strings.NewReader(project.Slug),
	})
	if err != nil {
		return fmt.Errorf("note the slug of project %s: %w", project.ID, err)
	}
	return nil
}

// recall returns the project whose slug was stored by remember, or ErrNotFound.
func (p *Platform) recall(ctx context.Context, id anchor.ProjectID) (anchor.Project, error) {
	out, err := p.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &p.AssetsBucket, Key: sdk.String(slugKey(id))})
	if missing := (*types.NoSuchKey)(nil); errors.As(err, &missing) {
		return anchor.Project{}, anchor.ErrNotFound
	}
	if err != nil {
		return anchor.Project{}, fmt.Errorf("read the noted slug of project %s: %w", id, err)
	}
	defer out.Body.Close()
	slug, err := io.ReadAll(io.LimitReader(out.Body, anchor.MaxSlug))
	if err != nil {
		return anchor.Project{}, fmt.Errorf("read the noted slug of project %s: %w", id, err)
	}
	return anchor.Project{ID: id, Slug: string(slug)}, nil
}

func (p *Platform) forget(ctx context.Context, id anchor.ProjectID) error {
	_, err := p.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &p.AssetsBucket, Key: sdk.String(slugKey(id))})
	if err != nil {
		return fmt.Errorf("remove the noted slug of project %s: %w", id, err)
	}
	return nil
}
