// Package git serves a Git repository for each project over smart HTTP. The real git does the work;
// this package starts it so that nothing of a push is executed or configures it, keeps pushed
// commits for builds, and writes their files to a folder.
package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/atomicfile"
)

// Limits bound what pushes may take of the machine. Zero fields take the defaults named here.
type Limits struct {
	PackBytes       int64 // of one push, 512 MiB
	RepositoryBytes int64 // of a repository, with what a push adds, 4 GiB
	FileBytes       int64 // of one file in a commit, 256 MiB
	TreeBytes       int64 // of all files of a commit, 2 GiB
	Files           int   // of a commit, 100,000
	Branches        int   // built by one push, 10
	Requests        int   // answered at a time, those that wait for a build included, 64
}

func (l Limits) withDefaults() Limits {
	setDefault(&l.PackBytes, 512<<20)
	setDefault(&l.RepositoryBytes, 4<<30)
	setDefault(&l.FileBytes, 256<<20)
	setDefault(&l.TreeBytes, 2<<30)
	setDefault(&l.Files, 100_000)
	setDefault(&l.Branches, 10)
	setDefault(&l.Requests, 64)
	return l
}

func setDefault[T int | int64](value *T, fallback T) {
	if *value <= 0 {
		*value = fallback
	}
}

// Store holds the repositories of all projects.
type Store struct {
	Limits
	dir   string
	slots chan struct{} // one for each request that runs
}

// Open opens the folder of the repositories and creates it if it does not exist.
func Open(dir string, l Limits) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find the folder of the Git repositories: %w", err)
	}
	s := &Store{Limits: l.withDefaults(), dir: dir}
	s.slots = make(chan struct{}, s.Requests)
	if err := os.MkdirAll(s.hooks(), 0o700); err != nil {
		return nil, fmt.Errorf("create the folder of the Git repositories: %w", err)
	}
	if err := atomicfile.WriteFile(filepath.Join(s.hooks(), "pre-receive"), []byte(preReceive), 0o700); err != nil {
		return nil, fmt.Errorf("write the hook of the Git repositories: %w", err)
	}
	return s, nil
}

func (s *Store) hooks() string { return filepath.Join(s.dir, "hooks") }

// Version returns what `git --version` prints, or why git cannot be run.
func Version(ctx context.Context) (string, error) {
	out, err := command(ctx, "", "--version").Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", anchor.Failed("git_missing", "git is not installed on the server").
			Hintf("Install it with the system's package manager, for example apt-get install git. The server need not be restarted.")
	}
	if err != nil {
		return "", fmt.Errorf("run git: %w", err)
	}
	return firstLine(out), nil
}

// Repository is the repository of one project.
type Repository struct {
	store *Store
	dir   string
}

// Of returns a project's repository, which need not exist.
func (s *Store) Of(p anchor.ProjectID) *Repository {
	return &Repository{store: s, dir: filepath.Join(s.dir, string(p)+".git")}
}

// Exists reports whether something was pushed to the repository.
func (r *Repository) Exists() bool {
	_, err := os.Stat(filepath.Join(r.dir, "HEAD"))
	return err == nil
}

// Create creates the repository unless it exists. branch is the one that a clone checks out.
func (r *Repository) Create(ctx context.Context, branch string) error {
	if r.Exists() {
		return nil
	}
	// A folder of its own until it is complete: a killed server must not leave half a repository.
	fresh, err := os.MkdirTemp(r.store.dir, "new-")
	if err != nil {
		return fmt.Errorf("create a Git repository: %w", err)
	}
	defer os.RemoveAll(fresh)
	// Without a template the repository has no hooks, and its configuration is Git's default.
	if _, err := output(ctx, "", "init", "--quiet", "--bare", "--template=", "--initial-branch="+branch, fresh); err != nil {
		return err
	}
	err = os.Rename(fresh, r.dir)
	if err != nil && !r.Exists() { // another request was faster
		return fmt.Errorf("create a Git repository: %w", err)
	}
	return nil
}

// checkRoom returns an error for a repository that is too large, with what arrived.
func (r *Repository) checkRoom() error {
	size, err := r.size()
	if err == nil && size > r.store.RepositoryBytes {
		return anchor.TooLarge("repository_full", "the repository on the server would have %d MiB, more than the limit of %d MiB", size>>20, r.store.RepositoryBytes>>20).
			Hintf("Delete branches and tags that are not needed, with git push --delete; what only they have is removed within two days.\n" +
				"A repository whose main branch alone is that large belongs to another host: anchor connect, or anchor deploy.")
	}
	return err
}

// size returns the bytes of the files of the repository.
func (r *Repository) size() (total int64, err error) {
	err = filepath.WalkDir(r.dir, func(_ string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // removed meanwhile
			return nil
		}
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			total += info.Size()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("measure the Git repository: %w", err)
	}
	return total, nil
}

// Remove removes the repository. It succeeds when there is none.
func (r *Repository) Remove() error {
	if err := os.RemoveAll(r.dir); err != nil {
		return fmt.Errorf("remove the Git repository: %w", err)
	}
	return nil
}

// Sweep removes what killed processes left in the folder: repositories that were not complete.
func (s *Store) Sweep() error {
	left, err := filepath.Glob(filepath.Join(s.dir, "new-*"))
	for _, dir := range left {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("clean up the folder of the Git repositories: %w", err)
	}
	return nil
}
