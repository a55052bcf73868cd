package build_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/build"
)

func TestSettings_SchemaListsTheFields(t *testing.T) {
	var schema struct {
		ID         string                           `json:"$id"`
		Additional *bool                            `json:"additionalProperties"`
		Properties map[string]struct{ Type string } `json:"properties"`
	}
	if err := json.Unmarshal(build.SettingsSchema, &schema); err != nil {
		t.Fatal(err)
	}
	var fields []string
	for field := range reflect.TypeFor[build.Settings]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		fields = append(fields, name)
	}
	slices.Sort(fields)
	if keys := slices.Sorted(maps.Keys(schema.Properties)); !slices.Equal(keys, fields) {
		t.Errorf("the schema has %q, Settings has %q", keys, fields)
	}
	if schema.Additional == nil || *schema.Additional {
		t.Error("the schema accepts other keys")
	}
}

func TestSettings_AreReadAsWritten(t *testing.T) {
	dir := t.TempDir()
	if _, err := build.ReadSettings(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder without the file is %v", err)
	}
	want := build.Settings{
		ProjectID: anchor.ProjectID(anchor.NewID()), Project: "shop", Server: "https://anchor.example.com",
		RootDirectory: "apps/web", InstallCommand: "npm ci && true", BuildCommand: "npm run all", NodeVersion: "22",
		IgnoreCommand: "git diff --quiet HEAD^ HEAD .", WatchPaths: []string{"apps/web/**"}, Crons: []anchor.Cron{},
	}
	if err := build.WriteSettings(dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := build.ReadSettings(dir)
	if want.Schema = got.Schema; err != nil || !reflect.DeepEqual(got, want) || !strings.HasPrefix(got.Schema, "https://") {
		t.Errorf("read %+v, %v", got, err)
	}
	content, err := os.ReadFile(filepath.Join(dir, build.SettingsName))
	if err != nil || !strings.Contains(string(content), "npm ci && true") {
		t.Errorf("the file is %s, %v", content, err)
	}
}

func TestReadSettings_RefusesWhatHasNoEffect(t *testing.T) {
	for content, says := range map[string][]string{
		`{"rootDirectry":"a"}`:                                   {`unknown key "rootDirectry"`, `Did you mean "rootDirectory"?`},
		`{"root_directory":"a"}`:                                 {`Did you mean "rootDirectory"?`},
		`{"BuildCommand":"a"}`:                                   {`Did you mean "buildCommand"?`},
		`{"functions":{}}`:                                       {`unknown key "functions"`, "Remove it"},
		`{"project":1}`:                                          {"project is a number"},
		`{"watchPaths":"a"}`:                                     {"watchPaths is a string; it has to be a list"},
		`{"watchPaths":[""]}`:                                    {"watchPaths has to be a list"},
		`{"crons":[{"path":"/a","schedul":"* * * * *"}]}`:        {`unknown field "schedul"`},
		`{"crons":[{"path":"a","schedule":"* * * * *"}]}`:        {`"a" cannot be the path of a cron`},
		`{"crons":[{"path":"/a","schedule":"* * * *"}]}`:         {`"* * * *" cannot be the schedule`, "five fields"},
		`{"crons":[{"path":"/a","schedule":"TZ=0"}]}`:            {`"TZ=0" cannot be the schedule`},
		`{"crons":[{"path":"/a","schedule":"@daily"}]}`:          {`"@daily" cannot be the schedule`},
		`{"crons":[{"path":"/a","schedule":"0 0 31 2 *"}]}`:      {"a day that does not exist"},
		`{"project":"a--b"}`:                                     {"not a slug"},
		`{"projectId":"x"}`:                                      {"not an id"},
		`{"server":"anchor.example.com"}`:                        {"not an http or https URL"},
		`{"server":"https://user:secret@a.example.com"}`:         {"without credentials"},
		`{"rootDirectory":"../a"}`:                               {"leads out"},
		`{"rootDirectory":"/a"}`:                                 {"leads out"},
		`{"installCommand":"` + strings.Repeat("a", 1001) + `"}`: {"longer than 1000"},
		`{"nodeVersion":"22; rm"}`:                               {"such as 22"},
		`[]`:                                                     {"not a JSON object"},
		`{"project":"a"`:                                         {"not a JSON object"},
		strings.Repeat(" ", 1<<17):                               {"larger than 64 KiB"},
	} {
		dir := t.TempDir()
		writeFiles(t, dir, map[string]string{build.SettingsName: content})
		_, err := build.ReadSettings(dir)
		for _, text := range says {
			if err == nil || !strings.Contains(err.Error()+anchor.HintOf(err), text) {
				t.Errorf("%.40s is %v, %s; want %s", content, err, anchor.HintOf(err), text)
			}
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("a password is shown: %v", err)
		}
	}
}

func TestSettings_FollowNoLinkOutOfTheFolder(t *testing.T) {
	dir, precious := t.TempDir(), filepath.Join(t.TempDir(), "precious")
	writeFiles(t, filepath.Dir(precious), map[string]string{"precious": `{"project":"shop"}`})
	name := filepath.Join(dir, build.SettingsName)
	if err := os.Symlink(precious, name); err != nil {
		t.Fatal(err)
	}
	if s, err := build.ReadSettings(dir); err == nil {
		t.Errorf("it was followed: %+v", s)
	}
	if err := build.WriteSettings(dir, build.Settings{Project: "other"}); err != nil {
		t.Error(err)
	}
	if content, err := os.ReadFile(precious); err != nil || string(content) != `{"project":"shop"}` {
		t.Errorf("outside there is %s, %v", content, err)
	}
	if err := errors.Join(os.Remove(name), syscall.Mkfifo(name, 0o644)); err != nil {
		t.Fatal(err)
	}
	if s, err := build.ReadSettings(dir); err == nil {
		t.Errorf("a pipe was read: %+v", s)
	}
}
