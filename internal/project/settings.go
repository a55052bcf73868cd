package project

import (
	"context"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// ProjectSettings returns the settings for AWS of the project of an id or slug, or NotFound. Where
// they have no effect, there are none.
func (s *Service) ProjectSettings(ctx context.Context, idOrSlug string) (anchor.ProjectSettings, error) {
	p, err := s.Get(ctx, idOrSlug)
	if err != nil || s.Settings == nil {
		return anchor.ProjectSettings{}, err
	}
	return s.settingsOf(ctx, p.ID)
}

// SetSettings replaces the settings of the project of an id or slug. Memory, timeout, network and the
// like apply from the next deployment on; the others are applied at once by another process. Before
// anything changes it refuses settings that AWS would refuse, and those that have no effect on this
// platform (Invalid).
func (s *Service) SetSettings(ctx context.Context, idOrSlug string, set anchor.Settings) (anchor.ProjectSettings, error) {
	if err := anchor.CheckSettings(set); err != nil {
		return anchor.ProjectSettings{}, err
	}
	p, err := s.Get(ctx, idOrSlug)
	if err != nil {
		return anchor.ProjectSettings{}, err
	}
	if s.Settings == nil {
		if set.IsZero() {
			return anchor.ProjectSettings{}, nil
		}
		return anchor.ProjectSettings{}, anchor.Invalid("settings_unsupported", "%s: these settings are for AWS and have no effect on this server", strings.Join(set.Names(), ", ")).
			Hintf("To bound a project on this server, use anchor limits set.")
	}
	if err := s.Settings.SetProjectSettings(ctx, p.ID, set); err != nil {
		return anchor.ProjectSettings{}, err
	}
	if s.Dispatch != nil {
		// They are stored: the daily round and the next deployment apply them, too.
		if err := s.Dispatch(context.WithoutCancel(ctx), p.ID); err != nil {
			s.Log.WarnContext(ctx, "the settings are applied by the next deployment", "projectId", p.ID, "error", err)
		}
	}
	return s.settingsOf(ctx, p.ID)
}

func (s *Service) settingsOf(ctx context.Context, p anchor.ProjectID) (anchor.ProjectSettings, error) {
	r, err := s.Settings.ProjectSettings(ctx, p)
	return anchor.ProjectSettings{
		Settings: r.Set, File: r.File, Effective: r.Effective(), AppliedAt: r.AppliedAt, Failure: r.Failure,
	}, err
}
