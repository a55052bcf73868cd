package dynamo

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// The attributes of a project's settings, each a JSON text. Each has one writer.
const (
	chosenAttr  = "chosen"
	fileAttr    = "file"
	appliedAttr = "applied"
)

// applied is what NoteApplied stores.
type applied struct {
	Settings  anchor.Settings
	Functions []string
	At        int64
	Failure   string
}

// ProjectSettings returns the project's settings; the zero record when nothing was stored, also for a
// project that does not exist.
func (s *Store) ProjectSettings(ctx context.Context, p anchor.ProjectID) (anchor.SettingsRecord, error) {
	const what = "read the project's settings"
	it, err := s.getItem(ctx, what, s.t.settingsKey(p))
	if err != nil || it == nil {
		return anchor.SettingsRecord{}, err
	}
	var r anchor.SettingsRecord
	var last applied
	for name, into := range map[string]any{chosenAttr: &r.Set, fileAttr: &r.File, appliedAttr: &last} {
		if text := strOf(it, name); text != "" {
			if err := json.Unmarshal([]byte(text), into); err != nil {
				return r, fmt.Errorf("%s: attribute %s: %w", what, name, err)
			}
		}
	}
	r.Applied, r.AppliedTo, r.AppliedAt, r.Failure = last.Settings, last.Functions, last.At, last.Failure
	return r, nil
}

// SetProjectSettings replaces what was set, durable on return; NotFound when the project does not
// exist or is being removed. Deleting the project deletes its settings.
func (s *Store) SetProjectSettings(ctx context.Context, p anchor.ProjectID, set anchor.Settings) error {
	return s.putSettings(ctx, p, chosenAttr, set)
}

// NoteFileSettings replaces the settings of the newest production deployment's anchor.json.
func (s *Store) NoteFileSettings(ctx context.Context, p anchor.ProjectID, file anchor.Settings) error {
	return s.putSettings(ctx, p, fileAttr, file)
}

// NoteApplied replaces what was applied last.
func (s *Store) NoteApplied(ctx context.Context, p anchor.ProjectID, r anchor.SettingsRecord) error {
	return s.putSettings(ctx, p, appliedAttr, applied{r.Applied, r.AppliedTo, r.AppliedAt, r.Failure})
}

func (s *Store) putSettings(ctx context.Context, p anchor.ProjectID, attr string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode the project's settings: %w", err)
	}
	return s.writeTransaction(ctx, "write the project's settings",
		s.ownerCondition(p), change{at: s.t.settingsKey(p), set: item{attr: stringValue(string(text))}},
	)
}
