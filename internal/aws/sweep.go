package aws

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// youngCode is the age up to which code is kept: a deployment in progress that lost its lease may
// still use it.
const youngCode = 24 * time.Hour

// Sweep removes what is left of projects that the records report as removed. Of the other
// projects it removes the code of functions that no version was made of. A project that the
// records do not know is kept and logged: the records may have been lost, or restored to an
// earlier time.
//
// When ctx ends, Sweep stops between two projects, and the next call continues there. An error of
// KindBusy means that CloudFront is still working.
func (p *Platform) Sweep(ctx context.Context) error {
	noted, err := p.noted(ctx)
	if err != nil {
		return err
	}
	var busy, failed error
	for _, id := range noted {
		if ctx.Err() != nil {
			return errors.Join(failed, ctx.Err())
		}
		err := p.sweepProject(ctx, id)
		if anchor.KindOf(err) == anchor.KindBusy {
			busy = err
		} else {
			failed = errors.Join(failed, err)
		}
	}
	if failed != nil {
		return failed
	}
	return busy
}

func (p *Platform) sweepProject(ctx context.Context, id anchor.ProjectID) error {
	project, err := p.Records.Project(ctx, id)
	if errors.Is(err, anchor.ErrNotFound) {
		return p.sweepRemoved(ctx, id)
	}
	if err != nil {
		return fmt.Errorf("read project %s: %w", id, err)
	}
	if project.Removing {
		return nil // somebody else is removing it
	}
	return errors.Join(p.functions.SweepCode(ctx, project, youngCode), p.ApplySettings(ctx, id, true))
}

// sweepRemoved removes what is left of a project without a record, if the records report that it
// was removed.
func (p *Platform) sweepRemoved(ctx context.Context, id anchor.ProjectID) error {
	removed, err := p.Records.ProjectRemoved(ctx, id)
	if err != nil {
		return fmt.Errorf("read whether project %s was removed: %w", id, err)
	}
	if !removed {
		p.Log.WarnContext(ctx, "the records do not know a project that has files, functions or a distribution here; they stay",
			"projectId", id, "note", "s3://"+p.AssetsBucket+"/"+slugKey(id))
		return nil
	}
	heir, err := p.heir(ctx, id)
	if err != nil {
		return err
	}
	if heir != "" {
		p.Log.WarnContext(ctx, "what is left of a removed project stays: another project has its slug, and functions of the same names",
			"projectId", id, "otherProjectId", heir)
		return nil
	}
	p.Log.InfoContext(ctx, "remove what is left of a project", "projectId", id)
	return p.RemoveProject(ctx, id)
}

// heir returns the project that now has the slug of a removed one, or "" when none has.
func (p *Platform) heir(ctx context.Context, id anchor.ProjectID) (anchor.ProjectID, error) {
	before, err := p.recall(ctx, id)
	if errors.Is(err, anchor.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	now, err := p.Records.ProjectBySlug(ctx, before.Slug)
	if errors.Is(err, anchor.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read whose the slug %s is: %w", before.Slug, err)
	}
	return now.ID, nil
}

// noted lists the projects whose slugs are stored: all projects that have resources here.
func (p *Platform) noted(ctx context.Context) ([]anchor.ProjectID, error) {
	var ids []anchor.ProjectID
	pages := s3.NewListObjectsV2Paginator(p.s3, &s3.ListObjectsV2Input{Bucket: &p.AssetsBucket, Prefix: sdk.String("projects/")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the noted projects: %w", err)
		}
		for _, object := range page.Contents {
			id, isSlug := strings.CutSuffix(strings.TrimPrefix(sdk.ToString(object.Key), "projects/"), "/slug")
			if isSlug {
				ids = append(ids, anchor.ProjectID(id))
			}
		}
	}
	return ids, nil
}
