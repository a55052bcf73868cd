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

// youngCode is what a deployment under way may be about to use, should it lose its lease.
const youngCode = 24 * time.Hour

// Sweep takes away what projects that are gone have left, and of the others the code
// of functions that no version was made of. It ends with ctx between two projects, and
// goes on where a call before was cut off. KindBusy: CloudFront takes its time.
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
		p.Log.InfoContext(ctx, "remove what is left of a project", "projectId", id)
		return p.RemoveProject(ctx, id)
	}
	if err != nil {
		return fmt.Errorf("read project %s: %w", id, err)
	}
	if project.Removing {
		return nil // who removes it is at it
	}
	return p.functions.SweepCode(ctx, project, youngCode)
}

// noted lists the projects whose slugs are noted: all that have something here.
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
