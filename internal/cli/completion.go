package cli

import (
	"bytes"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

type completion struct {
	Shell  string `json:"shell"`
	Script string `json:"script"`
}

func (s *shell) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "completion bash|zsh|fish|powershell", Short: "Print a shell completion script",
		Example:   "  source <(anchor completion bash)\n  anchor completion zsh >\"${fpath[1]}/_anchor\"",
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			var script bytes.Buffer
			if err := writeCompletion(cmd.Root(), args[0], &script); err != nil {
				return fmt.Errorf("generate the completion script for %s: %w", args[0], err)
			}
			return s.printResult(completion{args[0], script.String()}, func(w io.Writer) { _, _ = script.WriteTo(w) })
		},
	}
}

func writeCompletion(root *cobra.Command, shell string, w io.Writer) error {
	switch shell {
	case "zsh":
		return root.GenZshCompletion(w)
	case "fish":
		return root.GenFishCompletion(w, true)
	case "powershell":
		return root.GenPowerShellCompletionWithDesc(w)
	}
	return root.GenBashCompletionV2(w, true)
}
