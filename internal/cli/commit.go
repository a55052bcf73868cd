package cli

import (
	"context"
	"os/exec"
	"strings"
)

// commit is what git reports of the folder that is deployed; all is "" without git.
type commit struct{ sha, message, branch string }

func readCommit(ctx context.Context, dir string) commit {
	c := commit{
		sha:     runGit(ctx, dir, "rev-parse", "HEAD"),
		message: runGit(ctx, dir, "log", "-1", "--format=%s"),
		branch:  runGit(ctx, dir, "rev-parse", "--abbrev-ref", "HEAD"),
	}
	if c.branch == "HEAD" {
		c.branch = "" // detached
	}
	return c
}

// runGit returns "" when there is no git, no repository or no commit yet: a deployment
// does not need any.
func runGit(ctx context.Context, dir string, args ...string) string {
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

func (c commit) withOptions(o deployOptions) commit {
	override := func(value *string, by string) {
		if by != "" {
			*value = by
		}
	}
	override(&c.sha, o.commit)
	override(&c.message, o.message)
	override(&c.branch, o.branch)
	if runes := []rune(c.message); len(runes) > 1000 {
		c.message = string(runes[:1000])
	}
	return c
}
