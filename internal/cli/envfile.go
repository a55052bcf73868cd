package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *shell) pullEnvCommand() *cobra.Command {
	var of envFor
	cmd := &cobra.Command{
		Use: "pull", Short: "Print variables in the form of an .env file", Args: cobra.NoArgs,
		Long: "Prints the variables that a preview, or with --for production production, would\n" +
			"get now, with their values. This needs an admin token.",
		Example: "  anchor env pull > .env.local\n  anchor env pull --for production",
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.pullEnv(cmd.Context(), of) },
	}
	cmd.Flags().StringVar(&of.words, "for", "preview", "production or preview")
	cmd.Flags().StringVar(&of.branch, "branch", "", "branch of the preview (default: the current branch)")
	return cmd
}

func (s *shell) pullEnv(ctx context.Context, of envFor) error {
	like, err := of.variable()
	if err != nil {
		return err
	}
	scope := anchor.EnvScope{Environment: cmp.Or(like.Environment, anchor.EnvPreview), Branch: of.branch}
	if scope.Environment == anchor.EnvPreview && scope.Branch == "" {
		scope.Branch = readCommit(ctx, ".").branch
	}
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	vars, err := c.Env(ctx, project, true)
	if err != nil {
		return err
	}
	slices.SortStableFunc(vars, func(a, b anchor.EnvVar) int { return a.Slot().Compare(b.Slot()) })
	values := map[string]string{}
	var names []string
	for _, v := range vars {
		if !v.Slot().Reaches(scope) {
			continue
		}
		if _, before := values[v.Name]; !before {
			names = append(names, v.Name)
		}
		values[v.Name] = v.Value
	}
	return s.printResult(wire.BuildEnv{Variables: values}, func(w io.Writer) {
		for _, name := range names {
			if quoted, ok := quoteEnv(values[name]); ok {
				fmt.Fprintf(w, "%s=%s\n", name, quoted)
			} else {
				fmt.Fprintf(s.Err, "%s is left out: no quotes of an .env file can hold its value.\n", name)
			}
		}
	})
}

var bareEnv = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,=-]*$`)

// quoteEnv returns a value as the .env files of Next.js have it (npm: dotenv, dotenv-expand): there are no
// escapes but that of a dollar sign.
func quoteEnv(value string) (quoted string, ok bool) {
	if bareEnv.MatchString(value) {
		return value, true
	}
	if strings.Contains(value, "\r") {
		return "", false
	}
	escaped := strings.ReplaceAll(value, "$", `\$`)
	for _, quote := range []string{"'", "`", `"`} {
		if strings.Contains(value, quote) || quote == `"` && strings.Contains(value, `\`) || strings.HasSuffix(value, `\`) {
			continue
		}
		return quote + escaped + quote, true
	}
	return "", false
}

func (s *shell) importEnvCommand() *cobra.Command {
	var to envFor
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Set the variables of an .env file", Args: cobra.ExactArgs(1),
		Long: "Sets the variables of an .env file; with - it is read from standard input. Names\n" +
			"that Anchor sets itself, such as NODE_ENV, are left out and reported. References\n" +
			"to other variables stay as they are in the file.",
		Example: "  anchor env import .env\n  anchor env import .env.production --for production",
		RunE:    func(cmd *cobra.Command, args []string) error { return s.importEnv(cmd.Context(), args[0], to) },
	}
	to.declareFlags(cmd)
	return cmd
}

// maxEnvFile is the most that is read of an .env file, in bytes.
const maxEnvFile = 4 << 20

func (s *shell) importEnv(ctx context.Context, file string, to envFor) error {
	like, err := to.variable()
	if err != nil {
		return err
	}
	text, err := s.readEnvFile(file)
	if err != nil {
		return err
	}
	names, values, err := anchor.ParseEnvFile(text)
	if err != nil {
		return err
	}
	var vars []wire.SetVar
	for _, name := range names {
		v, err := setVar(name, values[name], like)
		if anchor.CodeOf(err) == "reserved_env" {
			fmt.Fprintf(s.Err, "%s is left out, because Anchor sets it.\n", name)
			continue
		}
		if err != nil {
			return err
		}
		vars = append(vars, v)
	}
	if len(vars) == 0 {
		return anchor.Invalid("bad_env_file", "%s has no variables to set", file).Hintf("Write one NAME=value in each line.")
	}
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	for some := range slices.Chunk(vars, 100) { // as many as one request sets
		if err := c.SetEnv(ctx, project, some); err != nil {
			return err
		}
	}
	return s.printSet(project, vars, like)
}

func (s *shell) readEnvFile(name string) (string, error) {
	in := s.In
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return "", anchor.Invalid("no_env_file", "cannot read %s: %v", name, errors.Unwrap(err)).Because(err).
				Hintf("Pass the path of an .env file, or - for standard input.")
		}
		defer file.Close()
		in = file
	}
	content, err := io.ReadAll(io.LimitReader(in, maxEnvFile+1))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	if len(content) > maxEnvFile {
		return "", anchor.TooLarge("bad_env_file", "%s is larger than %d MiB", name, maxEnvFile>>20).Hintf("Pass an .env file.")
	}
	return string(content), nil
}
