package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// keptBuilds is how many commits stay in a repository only because they were built: those of
// pushes that were refused, among others. A build can be repeated as long as its commit stays.
const keptBuilds = 20

func buildRef(id anchor.DeploymentID) string { return anchorRefs + "/builds/" + string(id) }

// KeepObjects moves what arrived with a push into the repository, whether the push is accepted
// or not: a build reads it, and may be repeated. Objects that no ref leads to are removed by Tidy later.
func (p Push) KeepObjects() error {
	if p.objects == "" { // the deletion of a ref, which makes room
		return nil
	}
	if err := p.Repository.checkRoom(); err != nil {
		return err
	}
	// Git names the folder; it is below the repository's own.
	into := filepath.Join(p.Repository.dir, "objects", "pack")
	if filepath.Dir(p.objects) != filepath.Dir(into) {
		return fmt.Errorf("git keeps what was pushed in %s, outside the repository", p.objects)
	}
	from := filepath.Join(p.objects, "pack")
	entries, err := os.ReadDir(from)
	if err != nil {
		return fmt.Errorf("read what was pushed: %w", err)
	}
	// The index last: with it Git takes a pack into account.
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return packOrder(a.Name()) - packOrder(b.Name()) })
	if err := os.MkdirAll(into, 0o700); err != nil {
		return fmt.Errorf("keep what was pushed: %w", err)
	}
	for _, e := range entries {
		if packOrder(e.Name()) < 0 {
			continue
		}
		err := os.Link(filepath.Join(from, e.Name()), filepath.Join(into, e.Name()))
		if err != nil && !errors.Is(err, fs.ErrExist) { // named by its content
			return fmt.Errorf("keep what was pushed: %w", err)
		}
	}
	return nil
}

// packOrder is negative for files that are not part of a pack.
func packOrder(name string) int {
	return slices.Index([]string{".pack", ".rev", ".idx"}, filepath.Ext(name))
}

// KeepCommit keeps a commit for the build of a deployment, and lets those of the oldest builds go.
func (r *Repository) KeepCommit(ctx context.Context, id anchor.DeploymentID, commit string) error {
	if _, err := r.output(ctx, "update-ref", buildRef(id), commit); err != nil {
		return err
	}
	refs, err := r.output(ctx, "for-each-ref", "--sort=-refname", "--format=%(refname)", anchorRefs+"/builds")
	if err != nil {
		return err
	}
	kept := strings.Fields(string(refs)) // newest first, as ids grow with time
	for _, old := range kept[min(len(kept), keptBuilds):] {
		if _, err := r.output(ctx, "update-ref", "-d", old); err != nil {
			return err
		}
	}
	return nil
}

// CommitOf returns the commit that KeepCommit keeps for a deployment, or NotFound.
func (r *Repository) CommitOf(ctx context.Context, id anchor.DeploymentID) (string, error) {
	if r.Exists() {
		commit, err := r.output(ctx, "for-each-ref", "--format=%(objectname)", buildRef(id))
		if err != nil || len(commit) > 0 {
			return firstLine(commit), err
		}
	}
	return "", anchor.NotFound("commit_gone", "the commit of build %s is no longer in the repository", id).
		Hintf("Push it again: git push anchor BRANCH")
}

// Subject returns the first line of a commit's message.
func (r *Repository) Subject(ctx context.Context, commit string) (string, error) {
	return r.describe(ctx, commit, "%s")
}

// Author returns the name of a commit's author, as the author has chosen it.
func (r *Repository) Author(ctx context.Context, commit string) (string, error) {
	return r.describe(ctx, commit, "%an")
}

func (r *Repository) describe(ctx context.Context, commit, format string) (string, error) {
	text, err := r.output(ctx, "log", "-1", "--no-show-signature", "--format="+format, "--end-of-options", commit)
	return string(bytes.ToValidUTF8(bytes.TrimSpace(text), []byte("�"))), err
}

// Contains reports whether ancestor is part of the history of commit.
func (r *Repository) Contains(ctx context.Context, commit, ancestor string) (bool, error) {
	return r.succeeds(ctx, "merge-base", "--is-ancestor", ancestor, commit)
}

// Tidy packs the repositories that have grown, and removes objects that nothing leads to and that
// are older than a day. Of a repository that is half full it does so whatever its number of files.
func (s *Store) Tidy(ctx context.Context) error {
	all, err := filepath.Glob(filepath.Join(s.dir, "*.git"))
	if err != nil {
		return fmt.Errorf("list the Git repositories: %w", err)
	}
	for _, dir := range all {
		args := []string{"-c", "gc.auto=2000", "-c", "gc.autoPackLimit=30", "-c", "gc.autoDetach=false", "-c", "gc.pruneExpire=1.day.ago", "gc", "--quiet"}
		size, failed := (&Repository{store: s, dir: dir}).size()
		if size < s.RepositoryBytes/2 {
			args = append(args, "--auto")
		}
		if failed == nil {
			_, failed = output(ctx, dir, args...)
		}
		if failed != nil && ctx.Err() == nil {
			err = errors.Join(err, fmt.Errorf("tidy %s: %w", filepath.Base(dir), failed))
		}
	}
	return err
}
