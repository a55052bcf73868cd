package git

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// historyDepth is how many commits History writes.
const historyDepth = 10

// History writes a .git folder into a folder with the files of a commit: its newest ten commits, and
// those of also as far as the repository has it ("": none), with branch checked out. It contains nothing
// else of the repository, and no address of it. Nothing of the repository is executed.
func (r *Repository) History(ctx context.Context, commit, also, branch, folder string) error {
	at := filepath.Join(folder, ".git")
	if _, err := output(ctx, "", "init", "--quiet", "--template=", "--initial-branch="+branch, folder); err != nil {
		return err
	}
	wanted := []string{commit}
	if known, err := r.succeeds(ctx, "cat-file", "-e", also+"^{commit}"); also != "" && also != commit && err == nil && known {
		wanted = append(wanted, also)
	}
	fetch := append([]string{
		"-c", "protocol.file.allow=always", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules",
		"--no-auto-gc", fmt.Sprintf("--depth=%d", historyDepth),
		// A commit may be kept by a hidden ref only. The option reaches the other git in no other way.
		"--upload-pack=git -c uploadpack.allowAnySHA1InWant=true -c safe.directory=* upload-pack", "--", r.dir,
	}, wanted...)
	for _, args := range [][]string{fetch, {"update-ref", branchRefs + branch, commit}} {
		if _, err := output(ctx, at, args...); err != nil {
			return err
		}
	}
	reset := command(ctx, at, "reset", "--quiet", "--mixed")
	reset.Env = append(reset.Env, "GIT_WORK_TREE="+folder)
	if _, err := reset.Output(); err != nil {
		return explain(err, "reset")
	}
	for _, name := range []string{"logs", "hooks"} {
		if err := os.RemoveAll(filepath.Join(at, name)); err != nil {
			return fmt.Errorf("write the history of a commit: %w", err)
		}
	}
	return nil
}
