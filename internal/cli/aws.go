package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/aws/installation"
)

// awsOptions select the installation of an aws command.
type awsOptions struct {
	installation.Options
	shell *shell
}

func (s *shell) awsCommand() *cobra.Command {
	o := &awsOptions{shell: s}
	cmd := parentCommand("aws", "Install Anchor in an AWS account",
		o.planCommand(), o.bootstrapCommand(), o.statusCommand(), o.destroyCommand())
	cmd.Long = "An installation is one CloudFormation stack: tables, buckets, roles, the HTTP\n" +
		"API and the build project. Anchor looks up credentials, profile and region the\n" +
		"way the AWS CLI does. To use other commands with an installation, set ANCHOR_URL\n" +
		"to the URL of its API."
	flags := cmd.PersistentFlags()
	flags.StringVar(&o.Name, "name", "anchor", "name of the installation")
	flags.StringVar(&o.Region, "region", "", "AWS region (default: the profile's)")
	flags.StringVar(&o.Profile, "profile", "", "AWS profile (default: AWS_PROFILE)")
	return cmd
}

// declareSettings are the flags of those commands that write the stack, or would.
func (o *awsOptions) declareSettings(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.Architecture, "arch", "", "arm64 or x86_64 (default: unchanged; arm64 for a new installation)")
	flags.StringToStringVar(&o.Parameters, "set", nil, "set a stack parameter, as NAME=VALUE (see docs/aws.md)")
}

// openInstallation returns the installation, which reports to p.
func (o *awsOptions) openInstallation(ctx context.Context, p *progress) (installation.Installation, error) {
	o.Version = o.shell.version
	running := ""
	o.Watch = func(e installation.Event) {
		if e.Step != running {
			p.beginStep(e.Step)
			running = e.Step
		}
		p.sayNote(e.Text)
		if e.Done {
			p.endStep(e.Step, e.Text)
			running = ""
		}
	}
	return o.shell.parts.Installation(ctx, o.Options)
}

// printChanges prints what changes in the installation.
func (s *shell) printChanges(w io.Writer, changes []installation.Change) {
	rows := make([][]string, len(changes))
	for i, c := range changes {
		rows[i] = []string{c.Action, c.Resource, c.Type, strings.Join(c.Why, ", ")}
	}
	s.printTable(w, []string{"ACTION", "RESOURCE", "TYPE", "WHY"}, rows)
}

func describePlace(o installation.Outputs) string {
	return fmt.Sprintf("%s, account %s", o.Region, o.Account)
}
