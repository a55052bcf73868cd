package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *shell) envCommand() *cobra.Command {
	return parentCommand("env", "Set, list and remove environment variables", s.setEnvCommand(), s.listEnvCommand(), s.removeEnvCommand())
}

func (s *shell) setEnvCommand() *cobra.Command {
	var phase string
	cmd := &cobra.Command{
		Use: "set NAME=value… | set NAME -", Short: "Set variables; NAME - reads one value from standard input",
		Long: "Sets environment variables of the project. They take effect with the next\n" +
			"deployment: every existing deployment keeps the values it was deployed with.",
		Example: "  anchor env set API_URL=https://api.example.com --for run\n  anchor env set API_KEY - <key.txt",
		Args:    cobra.MinimumNArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return s.setEnv(cmd.Context(), args, phase) },
	}
	cmd.Flags().StringVar(&phase, "for", "both", "where the variable is set: build, run or both")
	return cmd
}

type envSet struct {
	Project string   `json:"project"`
	Set     []string `json:"set"`
	For     string   `json:"for"`
}

func (s *shell) setEnv(ctx context.Context, args []string, phase string) error {
	vars, err := s.readVars(args, anchor.EnvPhase(phase))
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
	out := envSet{Project: project, For: phase}
	for _, v := range vars {
		out.Set = append(out.Set, v.Name)
	}
	return s.printResult(out, func(w io.Writer) {
		fmt.Fprintf(w, "Set %s on %s. It takes effect with the next deployment.\n", strings.Join(out.Set, ", "), project)
	})
}

// readVars checks what it reads, so that a mistake is found without a server.
func (s *shell) readVars(args []string, phase anchor.EnvPhase) ([]wire.SetVar, error) {
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
		if err := anchor.CheckEnv(anchor.EnvVar{Name: name, Value: value, For: phase}); err != nil {
			return nil, err
		}
		vars = append(vars, wire.SetVar{Name: name, Value: value, For: phase})
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
			rows = append(rows, []string{v.Name, string(v.For), formatAge(v.UpdatedAt), value})
		}
		s.printTable(w, []string{"NAME", "FOR", "CHANGED", "VALUE"}, rows)
	})
}

func (s *shell) removeEnvCommand() *cobra.Command {
	return &cobra.Command{
		Use: "rm NAME", Short: "Remove a variable", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, project, err := s.inProject()
			if err != nil {
				return err
			}
			if err := c.RemoveEnv(cmd.Context(), project, args[0]); err != nil {
				return err
			}
			return s.printResult(removed{Removed: args[0]}, func(w io.Writer) {
				fmt.Fprintf(w, "Removed %s from %s. It takes effect with the next deployment.\n", args[0], project)
			})
		},
	}
}
