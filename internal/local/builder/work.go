package builder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/git"
	"github.com/anchor-deploy/anchor/internal/local/worker/jail"
)

// work is the folder of one build. The user of the build owns what is in it.
type work struct {
	builder *Builder
	job     *job
	dir     string // without links in its path
	cache   string
	user    *jail.User

	printed     *tail // of the last command
	outOfMemory bool  // the kernel killed a process of the last command at the memory limit
}

func (b *Builder) openWork(j *job) (*work, error) {
	w := &work{builder: b, job: j, user: b.User(j.project.ID)}
	real, err := filepath.EvalSymlinks(b.Dir)
	if err != nil {
		return nil, fmt.Errorf("find the folder of builds: %w", err)
	}
	w.dir = filepath.Join(real, "work", string(j.deployment.ID))
	w.cache = filepath.Join(real, "cache", string(j.project.ID))
	if j.deployment.Fork { // what it leaves in a cache must not reach the next build
		w.cache = filepath.Join(w.dir, "cache")
	}
	for _, dir := range []string{w.dir, w.src(), w.home(), w.tmp(), w.cache} {
		if err = os.Mkdir(dir, 0o700); err != nil && (dir != w.cache || !errors.Is(err, fs.ErrExist)) {
			break
		}
		if err = w.own(dir); err != nil {
			break
		}
	}
	if err != nil {
		w.close()
		return nil, fmt.Errorf("create the folder of the build: %w", err)
	}
	return w, nil
}

func (w *work) src() string  { return filepath.Join(w.dir, "src") }
func (w *work) home() string { return filepath.Join(w.dir, "home") }
func (w *work) tmp() string  { return filepath.Join(w.dir, "tmp") }

// own makes the user of the build the owner of a path that Anchor has created.
func (w *work) own(path string) error {
	if w.user == nil {
		return nil
	}
	return os.Lchown(path, int(w.user.UID), int(w.user.GID))
}

// close removes the folder. Processes of the build have ended.
func (w *work) close() {
	if err := os.RemoveAll(w.dir); err != nil {
		w.builder.Log.Warn("remove the folder of a build; the next start tries again", "folder", w.dir, "error", err)
	}
}

// checkout writes the files of the commit.
func (w *work) checkout(ctx context.Context, r *git.Repository, commit string) error {
	root, err := os.OpenRoot(w.src())
	if err != nil {
		return fmt.Errorf("open the folder of the build: %w", err)
	}
	defer root.Close()
	return r.Checkout(ctx, commit, root, func(path string) error {
		if w.user == nil {
			return nil
		}
		if err := root.Lchown(path, int(w.user.UID), int(w.user.GID)); err != nil {
			return fmt.Errorf("write the files of the commit: %w", err)
		}
		return nil
	})
}

// contains refuses a folder of the build that a link of the build leads away from: Anchor has rights
// that the build has not, and must not read or write elsewhere for it.
func (w *work) contains(dir string) error {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return fmt.Errorf("find a folder of the build: %w", err)
	}
	if real != w.src() && !strings.HasPrefix(real, w.src()+"/") {
		return anchor.Invalid("build_escapes", "the build replaced the folder %s with a link to another location", w.short(dir)).
			Hintf("Change the build so that it writes to its own folder.")
	}
	return nil
}

// short returns a path as the repository's users know it.
func (w *work) short(path string) string {
	if rest := strings.TrimPrefix(path, w.src()); rest != path {
		return "." + rest
	}
	return path
}

// relative returns err with the paths of its texts as the repository's users know them.
func (w *work) relative(err error) error {
	e := (*anchor.Error)(nil)
	if !errors.As(err, &e) {
		return err
	}
	shown := *e
	names := strings.NewReplacer(w.src()+"/", "./", w.src(), "the top folder of the repository")
	shown.Message, shown.Hint = names.Replace(e.Message), names.Replace(e.Hint)
	return &shown
}
