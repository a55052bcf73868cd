package project_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// settings keeps the settings of projects in memory.
type settings map[anchor.ProjectID]anchor.SettingsRecord

func (s settings) ProjectSettings(_ context.Context, p anchor.ProjectID) (anchor.SettingsRecord, error) {
	return s[p], nil
}

func (s settings) SetProjectSettings(_ context.Context, p anchor.ProjectID, set anchor.Settings) error {
	r := s[p]
	r.Set = set
	s[p] = r
	return nil
}

func TestService_SetSettings(t *testing.T) {
	s, _, _ := service(t)
	kept, applied := settings{}, []anchor.ProjectID{}
	s.Settings = kept
	var failed error
	s.Dispatch = func(_ context.Context, p anchor.ProjectID) error { applied = append(applied, p); return failed }
	p := create(t, s, "shop")
	kept[p.ID] = anchor.SettingsRecord{File: &anchor.Settings{FunctionSettings: anchor.FunctionSettings{Memory: 512}}}

	_, err := s.SetSettings(t.Context(), "shop", anchor.Settings{FunctionSettings: anchor.FunctionSettings{Memory: 1}})
	fails(t, err, anchor.KindInvalid, "bad_settings")
	_, err = s.SetSettings(t.Context(), "unknown", anchor.Settings{})
	fails(t, err, anchor.KindNotFound, "unknown_project")
	returns(t, []anchor.ProjectID{})(applied, nil)

	failed = errors.New("Lambda is busy") // it stays set, and the next deployment applies it
	set := anchor.Settings{FunctionSettings: anchor.FunctionSettings{Memory: 2048, Timeout: 60}}
	got, err := s.SetSettings(t.Context(), "shop", set)
	if err != nil || got.Settings.Memory != 2048 || got.Effective.Memory != 512 || got.Effective.Timeout != 60 {
		t.Errorf("set, it is %+v, %v", got, err)
	}
	returns(t, []anchor.ProjectID{p.ID})(applied, nil)
	returns(t, got)(s.ProjectSettings(t.Context(), string(p.ID)))
}

// Where they have no effect they are refused, by name.
func TestService_SetSettings_Unsupported(t *testing.T) {
	s, _, _ := service(t)
	create(t, s, "shop")
	_, err := s.SetSettings(t.Context(), "shop", anchor.Settings{Runtime: anchor.RuntimeNode24, FunctionSettings: anchor.FunctionSettings{Memory: 512}})
	fails(t, err, anchor.KindInvalid, "settings_unsupported")
	if !strings.Contains(err.Error(), "memory, runtime") {
		t.Errorf("the error names no settings: %v", err)
	}
	returns(t, anchor.ProjectSettings{})(s.SetSettings(t.Context(), "shop", anchor.Settings{}))
	returns(t, anchor.ProjectSettings{})(s.ProjectSettings(t.Context(), "shop"))
}
