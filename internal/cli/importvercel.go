package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/client"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/artifact/build"
)

func (s *shell) importCommand() *cobra.Command {
	vercel := &cobra.Command{
		Use: "vercel [DIR]", Short: "Take over the settings of a project on Vercel", Args: cobra.MaximumNArgs(1),
		Long: "Reads vercel.json and what vercel pull has stored in .vercel: settings of the\n" +
			"build go to anchor.json, variables of .env.production.local and\n" +
			".env.preview.local to the project that the folder is tied to. Reports what it\n" +
			"cannot take over. Settings that anchor.json has already stay as they are.",
		Example: "  vercel pull --environment=production\n  anchor link shop\n  anchor import vercel",
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.importVercel(cmd.Context(), append(args, ".")[0])
		},
	}
	return parentCommand("import", "Take over a project from another host", vercel)
}

// vercelSettings are the settings of a build, as vercel.json has them and, below settings, what vercel pull
// stores in .vercel/project.json.
type vercelSettings struct {
	Framework      *string `json:"framework"`
	InstallCommand *string `json:"installCommand"`
	BuildCommand   *string `json:"buildCommand"`
	RootDirectory  *string `json:"rootDirectory"`
	NodeVersion    *string `json:"nodeVersion"`
	IgnoreCommand  *string `json:"ignoreCommand"`
}

// vercelAdvice says what to do about keys of vercel.json that have no counterpart. Keys with "" need nothing.
var vercelAdvice = map[string]string{
	"$schema": "", "version": "", "name": "", "public": "", "github": "", "framework": "", "installCommand": "", "buildCommand": "",
	"headers": "move them to headers in next.config", "redirects": "move them to redirects in next.config",
	"rewrites": "move them to rewrites in next.config", "trailingSlash": "set trailingSlash in next.config",
	"images": "set images in next.config", "cleanUrls": "Next.js has clean URLs by itself",
	"crons": "", "ignoreCommand": "", "regions": "the sites are where the server is",
	"functions": "anchor limits bounds the memory of a project", "env": "set them with anchor env set",
	"build": "set its variables with anchor env set --for build",
	"git":   "every push is built",
}

// importedVercel is what import vercel --json prints.
type importedVercel struct {
	Settings  []string          `json:"settings"`
	Variables []string          `json:"variables"`
	Left      map[string]string `json:"notTaken"`
}

func (s *shell) importVercel(ctx context.Context, name string) error {
	dir, err := appDir(name)
	if err != nil {
		return err
	}
	config, settings, err := readVercel(dir)
	if err != nil {
		return err
	}
	t, err := findAppTie(dir)
	if err != nil {
		return err
	}
	t.dir = cmp.Or(t.dir, dir)
	out := importedVercel{Settings: []string{}, Variables: []string{}, Left: map[string]string{}}
	out.Settings = takeVercel(&t.Settings, settings)
	for key := range config {
		if advice, known := vercelAdvice[key]; !known || advice != "" {
			out.Left[key] = cmp.Or(advice, "Anchor has nothing like it")
		}
	}
	vars, err := s.vercelVariables(dir, out.Left)
	if err != nil {
		return err
	}
	var c *client.Client
	var slug string
	if len(vars) > 0 { // whether they can be set is known before anything changes
		if c, err = s.newClient(); err == nil {
			slug, err = s.projectFor(ctx, c, dir)
		}
		if err != nil {
			return err
		}
	}
	if len(out.Settings) > 0 {
		if err := build.WriteSettings(t.dir, t.Settings); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(vars, 100) {
		if err := c.SetEnv(ctx, slug, some); err != nil {
			return err
		}
	}
	for _, v := range vars {
		out.Variables = append(out.Variables, v.Name+describeSlot(anchor.EnvSlot{Environment: v.Environment}))
	}
	return s.printResult(out, func(w io.Writer) { printImported(w, out) })
}

func printImported(w io.Writer, out importedVercel) {
	printWrapped(w, "", "Settings in "+build.SettingsName+": "+cmp.Or(strings.Join(out.Settings, ", "), "nothing new"))
	printWrapped(w, "", "Variables: "+cmp.Or(strings.Join(out.Variables, ", "), "none; to have them, run vercel pull --environment=production first"))
	for _, key := range slices.Sorted(maps.Keys(out.Left)) {
		printWrapped(w, "", "Not taken over: "+cleanText(key)+": "+out.Left[key]+".")
	}
}

// readVercel returns the keys of vercel.json, and the settings of both files; those of vercel.json count.
func readVercel(dir string) (config map[string]json.RawMessage, settings vercelSettings, err error) {
	var stored struct {
		Settings vercelSettings `json:"settings"`
	}
	missing := 0
	for name, into := range map[string][]any{"vercel.json": {&config}, ".vercel/project.json": {&stored}} {
		content, err := readOwn(dir, name, maxSettings)
		if errors.Is(err, fs.ErrNotExist) {
			missing++
			continue
		}
		if err == nil {
			err = json.Unmarshal(content, into[0])
		}
		if err != nil {
			return nil, settings, anchor.Invalid("bad_vercel_file", "%s cannot be read: %v", filepath.Join(dir, name), err).Because(err).Hintf("Correct the file.")
		}
	}
	if missing == 2 {
		return nil, settings, anchor.Invalid("no_vercel_file", "there is neither vercel.json nor .vercel/project.json in %s", dir).
			Hintf("Run vercel pull in the folder of the app, then import again.")
	}
	settings = stored.Settings
	for key, value := range map[string]**string{
		"framework": &settings.Framework, "installCommand": &settings.InstallCommand, "buildCommand": &settings.BuildCommand,
		"ignoreCommand": &settings.IgnoreCommand,
	} {
		if raw, set := config[key]; set {
			if err := json.Unmarshal(raw, value); err != nil {
				return nil, settings, anchor.Invalid("bad_vercel_file", "%s of vercel.json is not a string", key).Because(err).Hintf("Correct the file.")
			}
		}
	}
	if f := settings.Framework; f != nil && *f != "nextjs" {
		return nil, settings, anchor.Invalid("no_nextjs", "the project on Vercel is built with %q", *f).Hintf("Anchor deploys apps of Next.js only.")
	}
	return config, settings, nil
}

// takeVercel sets what to does not set, and returns its keys.
func takeVercel(to *build.Settings, from vercelSettings) (taken []string) {
	taken = []string{}
	if v := from.NodeVersion; v != nil {
		plain := strings.TrimSuffix(*v, ".x")
		from.NodeVersion = &plain
	}
	for _, one := range []struct {
		key  string
		to   *string
		from *string
	}{
		{"rootDirectory", &to.RootDirectory, from.RootDirectory}, {"installCommand", &to.InstallCommand, from.InstallCommand},
		{"buildCommand", &to.BuildCommand, from.BuildCommand}, {"nodeVersion", &to.NodeVersion, from.NodeVersion},
		{"ignoreCommand", &to.IgnoreCommand, from.IgnoreCommand},
	} {
		if one.from != nil && *one.from != "" && *one.to == "" {
			*one.to = *one.from
			taken = append(taken, one.key)
		}
	}
	return taken
}

// vercelVariables reads the files of vercel pull. Vercel's own variables are not the project's.
func (s *shell) vercelVariables(dir string, left map[string]string) (vars []wire.SetVar, err error) {
	for _, environment := range []anchor.Environment{anchor.EnvProduction, anchor.EnvPreview} {
		content, err := readOwn(dir, ".vercel/.env."+string(environment)+".local", maxEnvFile)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		names, values, err := anchor.ParseEnvFile(string(content))
		if err != nil {
			return nil, fmt.Errorf(".env.%s.local: %w", environment, err)
		}
		for _, name := range names {
			if name == "VERCEL" || strings.HasPrefix(name, "VERCEL_") || strings.HasPrefix(name, "TURBO_") || name == "NX_DAEMON" {
				continue
			}
			v, err := setVar(name, values[name], anchor.EnvVar{For: anchor.EnvBoth, Environment: environment})
			if anchor.CodeOf(err) == "reserved_env" {
				left[name] = "Anchor sets this variable itself"
				continue
			}
			if err != nil {
				return nil, err
			}
			vars = append(vars, v)
		}
	}
	return vars, nil
}
