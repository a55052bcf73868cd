package project

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// PreviewRetention returns which previews of the project of an id or slug are kept, or NotFound.
func (s *Service) PreviewRetention(ctx context.Context, idOrSlug string) (anchor.ProjectPreviewRetention, error) {
	p, err := s.Get(ctx, idOrSlug)
	if err != nil {
		return anchor.ProjectPreviewRetention{}, err
	}
	return s.previewRetentionOf(p), nil
}

// SetPreviewRetention replaces which previews of the project of an id or slug are kept. It refuses what is
// out of range (Invalid). The retention that follows, after a deployment or by the clock, obeys it.
func (s *Service) SetPreviewRetention(ctx context.Context, idOrSlug string, r anchor.PreviewRetention) (anchor.ProjectPreviewRetention, error) {
	if err := anchor.CheckPreviewRetention(r); err != nil {
		return anchor.ProjectPreviewRetention{}, err
	}
	p, err := s.Get(ctx, idOrSlug)
	if err == nil {
		err = s.Records.SetPreviewRetention(ctx, p.ID, r)
	}
	if err != nil {
		return anchor.ProjectPreviewRetention{}, err
	}
	p.Previews = r
	return s.previewRetentionOf(p), nil
}

func (s *Service) previewRetentionOf(p anchor.Project) anchor.ProjectPreviewRetention {
	return anchor.ProjectPreviewRetention{Set: p.Previews, Effective: p.Previews.Over(s.Previews)}
}
