package build

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

// SettingsName is the file of Settings. It belongs into the repository.
const SettingsName = "anchor.json"

// SettingsSchema is the JSON schema of Settings (draft 2020-12).
//
//go:embed anchor.schema.json
var SettingsSchema []byte

// schemaURL is where SettingsSchema is published.
const schemaURL = "https://raw.githubusercontent.com/anchor-deploy/anchor/main/docs/anchor.schema.json"

// maxSettings is the most that is read of the file, in bytes, and maxSetting of one value.
const (
	maxSettings = 64 << 10
	maxSetting  = 1000
)

// Settings is anchor.json: which project a folder belongs to and how its app is built.
// A field that is not set is "".
type Settings struct {
	Schema    string           `json:"$schema,omitempty"`
	ProjectID anchor.ProjectID `json:"projectId,omitempty"`
	Project   string           `json:"project,omitempty"` // slug
	Server    string           `json:"server,omitempty"`  // URL of its API

	RootDirectory  string `json:"rootDirectory,omitempty"` // of the app, relative to the file's folder
	InstallCommand string `json:"installCommand,omitempty"`
	BuildCommand   string `json:"buildCommand,omitempty"`
	NodeVersion    string `json:"nodeVersion,omitempty"` // of builds: "22" or "22.11.0"

	AWS           *anchor.Settings `json:"aws,omitempty"`           // of the project on AWS
	IgnoreCommand string           `json:"ignoreCommand,omitempty"` // exits with 0 when a pushed commit need not be built
	WatchPaths    []string         `json:"watchPaths,omitempty"`    // globs of Git; a pushed commit that changes none of them is not built

	Crons []anchor.Cron `json:"crons,omitzero"` // nil: those of vercel.json
}

// IsZero reports whether nothing is set.
func (s Settings) IsZero() bool { return reflect.DeepEqual(s, Settings{}) }

// ReadSettings reads anchor.json in dir, which no link may lead out of dir. A missing file is
// fs.ErrNotExist.
func ReadSettings(dir string) (Settings, error) {
	name := filepath.Join(dir, SettingsName)
	// A folder above the app's may let through and not be read, as /home often does.
	if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		return Settings{}, fs.ErrNotExist
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Settings{}, fmt.Errorf("open %q: %w", dir, err)
	}
	defer root.Close()
	file, err := artifact.OpenIn(root, SettingsName)
	if err != nil {
		return Settings{}, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxSettings+1))
	if err != nil {
		return Settings{}, fmt.Errorf("read %q: %w", name, err)
	}
	return parseSettings(name, content)
}

// parseSettings refuses what is not exactly a Settings: a misspelt key would be a setting that
// silently has no effect.
func parseSettings(name string, content []byte) (Settings, error) {
	if len(content) > maxSettings {
		return Settings{}, anchor.TooLarge("bad_settings", "%s is larger than %d KiB", name, maxSettings>>10).
			Hintf("Keep only the keys of its schema: %s", schemaURL)
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(content, &keys); err != nil {
		return Settings{}, anchor.Invalid("bad_settings", "%s is not a JSON object: %v", name, err).Because(err).
			Hintf("Correct the file. Its schema is at %s", schemaURL)
	}
	known := settingKeys()
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !slices.Contains(known, key) {
			return Settings{}, unknownSetting(name, key, known)
		}
	}
	if aws, found := keys["aws"]; found {
		if _, err := anchor.ParseSettings(aws); err != nil {
			return Settings{}, anchor.Invalid("bad_settings", "%s cannot be used: aws: %v", name, err).Because(err).Hintf("%s", anchor.HintOf(err))
		}
	}
	var s Settings
	strict := json.NewDecoder(bytes.NewReader(content))
	strict.DisallowUnknownFields() // in the objects of lists
	if err := strict.Decode(&s); err != nil {
		e := (*json.UnmarshalTypeError)(nil)
		if errors.As(err, &e) {
			return s, badSetting(name, "%s is a %s; it has to be %s", e.Field, e.Value, jsonKinds[e.Type.Kind()])
		}
		return s, badSetting(name, "%v", err)
	}
	return s, s.check(name)
}

// jsonKinds are the kinds of values that settings have.
var jsonKinds = map[reflect.Kind]string{reflect.String: "a string", reflect.Slice: "a list", reflect.Struct: "an object"}

// settingKeys are the keys of the schema.
func settingKeys() []string {
	var schema struct {
		Properties map[string]any `json:"properties"`
	}
	if err := json.Unmarshal(SettingsSchema, &schema); err != nil {
		panic("the schema of " + SettingsName + " is broken: " + err.Error()) // a test reads it
	}
	return slices.Sorted(maps.Keys(schema.Properties))
}

func unknownSetting(name, key string, known []string) error {
	e := anchor.Invalid("unknown_setting", "%s has the unknown key %q", name, key)
	nearest := slices.MinFunc(known, func(a, b string) int { return distance(key, a) - distance(key, b) })
	if distance(key, nearest) <= max(2, len(nearest)/3) {
		return e.Hintf("Did you mean %q? The keys are %s.", nearest, strings.Join(known, ", "))
	}
	return e.Hintf("Remove it. The keys are %s.", strings.Join(known, ", "))
}

// distance is how many letters have to be changed, added or removed to make b of a, in any case
// (Levenshtein).
func distance(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func badSetting(name, format string, args ...any) error {
	return anchor.Invalid("bad_settings", "%s cannot be used: %s", name, fmt.Sprintf(format, args...)).
		Hintf("Correct the file. Its schema is at %s", schemaURL)
}

var nodeVersion = regexp.MustCompile(`^[0-9]{1,4}(\.[0-9]{1,4}){0,2}$`)

func (s Settings) check(name string) error {
	for key, value := range map[string]string{
		"rootDirectory": s.RootDirectory, "installCommand": s.InstallCommand, "buildCommand": s.BuildCommand, "server": s.Server,
		"ignoreCommand": s.IgnoreCommand,
	} {
		if len(value) > maxSetting || strings.ContainsRune(value, 0) {
			return badSetting(name, "%s is longer than %d bytes or contains a NUL", key, maxSetting)
		}
	}
	switch {
	case s.ProjectID != "" && !anchor.ValidID(string(s.ProjectID)):
		return badSetting(name, "projectId is %q, which is not an id", s.ProjectID)
	case s.Project != "" && anchor.CheckSlug(s.Project) != nil:
		return badSetting(name, "project is %q, which is not a slug", s.Project)
	case s.NodeVersion != "" && !nodeVersion.MatchString(s.NodeVersion):
		return badSetting(name, "nodeVersion is %q; it has to be a version such as 22 or 22.11.0", s.NodeVersion)
	case s.RootDirectory != "" && !filepath.IsLocal(s.RootDirectory):
		return badSetting(name, "rootDirectory is %q, which leads out of the folder", s.RootDirectory)
	}
	if u, err := url.Parse(s.Server); s.Server != "" && (err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https") {
		return badSetting(name, "server is not an http or https URL without credentials")
	}
	for _, pattern := range s.WatchPaths {
		if pattern == "" || len(pattern) > maxSetting || strings.ContainsRune(pattern, 0) || len(s.WatchPaths) > maxWatched {
			return badSetting(name, "watchPaths has to be a list of at most %d patterns such as apps/web/**", maxWatched)
		}
	}
	if err := anchor.CheckCrons(s.Crons); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// maxWatched is how many patterns watchPaths may have.
const maxWatched = 100

// WriteSettings writes anchor.json in dir, unless ReadSettings would refuse it. A link in its place is not
// followed.
func WriteSettings(dir string, s Settings) error {
	if err := s.check(filepath.Join(dir, SettingsName)); err != nil {
		return err
	}
	s.Schema = schemaURL
	var content bytes.Buffer
	encoder := json.NewEncoder(&content)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(s); err != nil {
		return fmt.Errorf("write %s: %w", SettingsName, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("write %s: %w", SettingsName, err)
	}
	defer root.Close()
	temp := fmt.Sprintf(".%s.%d", SettingsName, os.Getpid())
	err = root.WriteFile(temp, content.Bytes(), 0o644)
	if err == nil {
		err = root.Rename(temp, SettingsName)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", filepath.Join(dir, SettingsName), err), root.RemoveAll(temp))
	}
	return nil
}

// PutSettings writes the settings for AWS into a build, from which the server reads them, or removes
// those of an earlier deploy when there are none.
func PutSettings(tree string, aws *anchor.Settings) error {
	root, err := os.OpenRoot(tree)
	if err != nil {
		return fmt.Errorf("open the build: %w", err)
	}
	defer root.Close()
	if err := root.Remove(anchor.SettingsFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the earlier settings from the build: %w", err)
	}
	if aws == nil || aws.IsZero() {
		return nil
	}
	text, err := json.Marshal(Settings{AWS: aws})
	if err != nil {
		return fmt.Errorf("encode the settings: %w", err)
	}
	if err := root.WriteFile(anchor.SettingsFile, text, 0o644); err != nil {
		return fmt.Errorf("write the settings into the build: %w", err)
	}
	return nil
}
