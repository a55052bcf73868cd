// Package cli is the anchor command. Every command is a file: an options struct,
// the function that runs it, and the function that declares it to cobra. All but up
// talk to the HTTP API only.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/installation"
	"github.com/anchor-deploy/anchor/internal/local/server"
)

// shell is what the commands share: streams, the global flags, the server.
type shell struct {
	IOStreams
	json    bool
	project string
	version string
	parts   Parts
	context func() context.Context // of the command that runs
	parsed  bool                   // the command line was read; what fails from here on is not a usage error
}

// Parts are what commands run that is more than a call of the API.
type Parts struct {
	Server       func(context.Context, server.Config) error // anchor up: serves until the context ends
	Installation installation.Open                          // anchor aws
}

// Main runs the command of this process and returns its exit code.
func Main(parts Parts) int {
	return run(interruptContext(), os.Args[1:], systemStreams(), parts)
}

// run runs the command that args name. ctx ends with the first signal that asks the process to end.
func run(ctx context.Context, args []string, streams IOStreams, parts Parts) int {
	s := &shell{IOStreams: streams, version: Version(), parts: parts}
	root := s.rootCommand()
	root.SetArgs(args)
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	s.json = wantsJSON(args) // for errors of the parsing itself
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	if ctx.Err() != nil {
		err = context.Canceled
	} else if !s.parsed && anchor.KindOf(err) == anchor.KindFailed {
		err = &usageError{err, command}
	}
	var usage *usageError
	if errors.As(err, &usage) && usage.command == nil {
		usage.command = command
	}
	if !errors.Is(err, errReported) {
		s.reportError(err)
	}
	return exitCode(err)
}

// errTold is a failure whose telling was the command's output, as a doctor's finding.
var errReported = errors.New("already reported")

func wantsJSON(args []string) bool {
	for _, arg := range args {
		switch arg {
		case "--":
			return false
		case "--json", "--json=true":
			return true
		}
	}
	return false
}

// Command is the tree of all commands as its reference is written from; Main runs one.
func Command() *cobra.Command { return (&shell{}).rootCommand() }

func (s *shell) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "anchor",
		Short: "Deploy Next.js apps to your own machine",
		Long: "Anchor deploys and serves OpenNext builds of Next.js apps. Every deployment is\n" +
			"immutable, traffic switches in one atomic step, and you can roll back to any\n" +
			"kept deployment at once.",
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRun: func(cmd *cobra.Command, _ []string) { s.parsed, s.context = true, cmd.Context },
		Args:             cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if s.json { // help is not a document
				return usagef("anchor needs a command")
			}
			return cmd.Help()
		},
	}
	root.CompletionOptions.DisableDefaultCmd = true // ours knows --json
	root.SetUsageFunc(printUsage)
	root.PersistentFlags().BoolVar(&s.json, "json", false, "print a single JSON document")
	root.PersistentFlags().StringVar(&s.project, "project", "", "slug of the project (default: that of anchor.json)")
	root.AddGroup(&cobra.Group{ID: "main", Title: "Deploy and release:"},
		&cobra.Group{ID: "look", Title: "Inspect:"}, &cobra.Group{ID: "settings", Title: "Set up:"})
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("main", s.upCommand(), s.deployCommand(), s.linkCommand(), s.gitCommand(), s.connectCommand(), s.buildsCommand(), s.rollbackCommand(), s.promoteCommand(), s.redeployCommand(), s.cancelCommand())
	add("look", s.deploymentsCommand(), s.releasesCommand(), s.bisectCommand(), s.logsCommand(), s.errorsCommand(), s.statsCommand(), s.auditCommand(), s.statusCommand(), s.doctorCommand(), s.openCommand())
	add("settings", s.projectsCommand(), s.domainsCommand(), s.envCommand(), s.cronsCommand(), s.previewsCommand(), s.importCommand(), s.limitsCommand(), s.cacheCommand(), s.peopleCommand(), s.tokensCommand(), s.trustCommand(), s.alertsCommand(), s.drainsCommand(), s.backupsCommand(), s.mcpCommand(), s.awsCommand(), s.versionCommand(), s.completionCommand())
	refuseEmptyWords(root)
	refuseUnknownHelp(root)
	return root
}

// printDocument prints v as the one JSON document of --json.
func (s *shell) printDocument(v any) error {
	return writeJSON(s.Out, v)
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write the JSON document: %w", err)
	}
	return nil
}

// printResult prints v as JSON with --json, else what human writes.
func (s *shell) printResult(v any, human func(w io.Writer)) error {
	if s.json {
		return s.printDocument(v)
	}
	human(s.Out)
	return nil
}

// parentCommand is a command that only holds others.
func parentCommand(use, short string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("anchor %s needs a command: %s", cmd.Name(), childNames(cmd))
		}}
	cmd.AddCommand(children...)
	return cmd
}

func childNames(cmd *cobra.Command) string {
	names := ""
	for _, c := range cmd.Commands() {
		if names != "" {
			names += ", "
		}
		names += c.Name()
	}
	return names
}
