package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *shell) envCommand() *cobra.Command {
	return parentCommand("env", "Set, list and remove environment variables",
		s.setEnvCommand(), s.listEnvCommand(), s.removeEnvCommand(), s.pullEnvCommand(), s.importEnvCommand())
}

// envFor are the flags that say what a variable is for.
type envFor struct{ words, branch string }

func (f *envFor) declareFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.words, "for", "both", "when it is set (build, run or both) and in which deployments\n(production or preview; all by default), such as run,preview")
	cmd.Flags().StringVar(&f.branch, "branch", "", "only in previews of this branch")
}

// variable returns a variable without name and value that is for what the flags say.
func (f *envFor) variable() (v anchor.EnvVar, err error) {
	v.For, v.Branch = anchor.EnvBoth, f.branch
	if f.branch != "" {
		v.Environment = anchor.EnvPreview
	}
	for word := range strings.SplitSeq(f.words, ",") {
		switch word = strings.TrimSpace(word); anchor.EnvPhase(word) {
		case anchor.EnvBuild, anchor.EnvRun, anchor.EnvBoth:
			v.For = anchor.EnvPhase(word)
			continue
		}
		v.Environment = anchor.Environment(word)
		if v.Environment != anchor.EnvProduction && v.Environment != anchor.EnvPreview {
			return v, usagef("--for has %q; use build, run or both, and production or preview", word)
		}
	}
	if f.branch != "" && v.Environment != anchor.EnvPreview {
		return v, usagef("--branch is for previews, and --for says production")
	}
	return v, nil
}

func (s *shell) setEnvCommand() *cobra.Command {
	var to envFor
	cmd := &cobra.Command{
		Use: "set NAME=value… | set NAME -", Short: "Set variables; NAME - reads one value from standard input",
		Long: "Sets environment variables of the project. They take effect with the next\n" +
			"deployment: every existing deployment keeps the values it was deployed with.\n" +
			"A variable for previews or production replaces the one for all deployments, and\n" +
			"one for a branch that for all previews.",
		Example: "  anchor env set API_URL=https://api.example.com --for run\n  anchor env set API_KEY - <key.txt\n" +
			"  anchor env set API_URL=https://test.example.com --for preview\n  anchor env set FLAG=on --for preview --branch feature/x",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return s.setEnv(cmd.Context(), args, to) },
	}
	to.declareFlags(cmd)
	return cmd
}

type envSet struct {
	Project     string             `json:"project"`
	Set         []string           `json:"set"`
	For         anchor.EnvPhase    `json:"for"`
	Environment anchor.Environment `json:"environment,omitempty"`
	Branch      string             `json:"branch,omitempty"`
}

func (s *shell) setEnv(ctx context.Context, args []string, to envFor) error {
	like, err := to.variable()
	if err != nil {
		return err
	}
	vars, err := s.readVars(args, like)
	if err != nil {
		return err
	}
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	if err := c.SetEnv(ctx, project, vars); err != nil {
		return err
	}
	return s.printSet(project, vars, like)
}

func (s *shell) printSet(project string, vars []wire.SetVar, like anchor.EnvVar) error {
	out := envSet{Project: project, For: like.For, Environment: like.Environment, Branch: like.Branch}
	for _, v := range vars {
		out.Set = append(out.Set, v.Name)
	}
	return s.printResult(out, func(w io.Writer) {
		printWrapped(w, "", fmt.Sprintf("Set %s on %s%s. %s effect with the next deployment.",
			strings.Join(out.Set, ", "), project, describeSlot(like.Slot()), map[bool]string{true: "It takes", false: "They take"}[len(out.Set) == 1]))
	})
}

// describeSlot returns what a variable is for, with a space before it; "" for all deployments.
func describeSlot(slot anchor.EnvSlot) string {
	switch {
	case slot.Branch != "":
		return " for previews of " + slot.Branch
	case slot.Environment != "":
		return " for " + string(slot.Environment)
	}
	return ""
}

// setVar returns the variable like, with that name and value, as it is sent.
func setVar(name, value string, like anchor.EnvVar) (wire.SetVar, error) {
	like.Name, like.Value = name, value
	v := wire.SetVar{Name: name, Value: value, For: like.For, Environment: like.Environment, Branch: like.Branch}
	return v, anchor.CheckEnv(like)
}

// readVars checks what it reads, so that a mistake is found without a server.
func (s *shell) readVars(args []string, like anchor.EnvVar) ([]wire.SetVar, error) {
	var vars []wire.SetVar
	for i := 0; i < len(args); i++ {
		name, value, assigned := strings.Cut(args[i], "=")
		if !assigned {
			if i+1 >= len(args) || args[i+1] != "-" || len(vars) > 0 || len(args) > 2 {
				return nil, usagef("%q is not of the form NAME=value; to read one value from standard input, use NAME -", name)
			}
			read, err := s.readValue()
			if err != nil {
				return nil, fmt.Errorf("read the value of %s from standard input: %w", name, err)
			}
			value, i = read, i+1
		}
		v, err := setVar(name, value, like)
		if err != nil {
			return nil, err
		}
		vars = append(vars, v)
	}
	return vars, nil
}

// readValue leaves one newline at the end away, as $(…) in a shell does.
func (s *shell) readValue() (string, error) {
	content, err := io.ReadAll(io.LimitReader(s.In, 64<<10))
	return strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r"), err
}

func (s *shell) listEnvCommand() *cobra.Command {
	var reveal bool
	cmd := &cobra.Command{
		Use: "ls", Short: "List variables without their values", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.listEnv(cmd.Context(), reveal) },
	}
	cmd.Flags().BoolVar(&reveal, "reveal", false, "also show the values (needs an admin token)")
	return cmd
}

func (s *shell) listEnv(ctx context.Context, reveal bool) error {
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	vars, err := c.Env(ctx, project, reveal)
	if err != nil {
		return err
	}
	return s.printResult(wire.Env{Items: vars, Revealed: reveal}, func(w io.Writer) {
		if len(vars) == 0 {
			fmt.Fprintf(w, "%s has no variables.\n", project)
			return
		}
		var rows [][]string
		for _, v := range vars {
			value := "••••••"
			if reveal {
				value = cleanText(v.Value)
			}
			in := strings.TrimSpace(string(v.Environment) + " " + cleanText(v.Branch))
			rows = append(rows, []string{v.Name, string(v.For), cmp.Or(in, "all"), formatAge(v.UpdatedAt), value})
		}
		s.printTable(w, []string{"NAME", "FOR", "IN", "CHANGED", "VALUE"}, rows)
	})
}

func (s *shell) removeEnvCommand() *cobra.Command {
	var of envFor
	cmd := &cobra.Command{
		Use: "rm NAME", Short: "Remove a variable", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := of.variable()
			if err != nil {
				return err
			}
			c, project, err := s.inProject()
			if err != nil {
				return err
			}
			v.Name = args[0]
			if err := c.RemoveEnv(cmd.Context(), project, v.Slot()); err != nil {
				return err
			}
			return s.printResult(removed{Removed: v.Name}, func(w io.Writer) {
				fmt.Fprintf(w, "Removed %s from %s%s. It takes effect with the next deployment.\n", v.Name, project, describeSlot(v.Slot()))
			})
		},
	}
	cmd.Flags().StringVar(&of.words, "for", "both", "production or preview, if the variable is for one of them only")
	cmd.Flags().StringVar(&of.branch, "branch", "", "the branch, if the variable is for its previews only")
	return cmd
}
