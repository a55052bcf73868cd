package cli

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// commit is what git reports of the folder that is deployed; all is "" without git.
type commit struct {
	sha, message, branch string
	pull                 int64 // number of the pull request that a CI builds, 0 for none
}

func readCommit(ctx context.Context, dir string) commit {
	c := commit{
		sha:     runGit(ctx, dir, "rev-parse", "HEAD"),
		message: runGit(ctx, dir, "log", "-1", "--format=%s"),
		branch:  runGit(ctx, dir, "rev-parse", "--abbrev-ref", "HEAD"),
	}
	if c.branch == "HEAD" {
		c.branch = "" // detached
		if c.sha != "" {
			c.branch = branchOfCI()
		}
	}
	if c.sha != "" {
		c.pull = pullOfCI()
	}
	return c
}

// branchOfCI returns the branch that a CI builds from a detached checkout: GitHub and Gitea Actions,
// GitLab CI, Bitbucket Pipelines.
func branchOfCI() string {
	if os.Getenv("GITHUB_REF_TYPE") == "branch" || os.Getenv("GITHUB_HEAD_REF") != "" {
		return cmp.Or(os.Getenv("GITHUB_HEAD_REF"), os.Getenv("GITHUB_REF_NAME"))
	}
	return cmp.Or(os.Getenv("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"), os.Getenv("CI_COMMIT_BRANCH"), os.Getenv("BITBUCKET_BRANCH"))
}

var pullRefOfCI = regexp.MustCompile(`^refs/pull/([0-9]+)/`)

// pullOfCI returns the number of the pull request that a CI builds, 0 for none.
func pullOfCI() int64 {
	text := cmp.Or(os.Getenv("CI_MERGE_REQUEST_IID"), os.Getenv("BITBUCKET_PR_ID"))
	if found := pullRefOfCI.FindStringSubmatch(os.Getenv("GITHUB_REF")); found != nil {
		text = found[1]
	}
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil || number < 0 {
		return 0
	}
	return number
}

func (c commit) pullID() string {
	if c.pull == 0 {
		return ""
	}
	return strconv.FormatInt(c.pull, 10)
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
