package git

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// The modes of what a tree contains (git-fast-import(1)).
const (
	modeExecutable = "100755"
	modeLink       = "120000"
	modeSubmodule  = "160000"
)

// file is a file of a commit.
type file struct {
	path string
	mode string
	name string // of the object
	size int64
}

// files lists the files of a commit and refuses what cannot be built.
func (r *Repository) files(ctx context.Context, commit string) ([]file, error) {
	out, err := r.output(ctx, "ls-tree", "-r", "-z", "--long", "--full-tree", "--end-of-options", commit)
	if err != nil {
		return nil, err
	}
	var all []file
	var total int64
	for _, entry := range bytes.Split(bytes.TrimSuffix(out, []byte{0}), []byte{0}) {
		if len(entry) == 0 {
			continue // an empty tree
		}
		f, err := parseFile(string(entry))
		if err != nil {
			return nil, err
		}
		if err := r.store.check(f); err != nil {
			return nil, err
		}
		total += f.size
		all = append(all, f)
	}
	switch {
	case len(all) > r.store.Files:
		return nil, anchor.TooLarge("too_many_files", "the commit has %d files; the limit is %d", len(all), r.store.Files).
			Hintf("Remove what is not part of the app, for example node_modules, from the repository.")
	case total > r.store.TreeBytes:
		return nil, anchor.TooLarge("commit_too_large", "the files of the commit have %d MiB; the limit is %d MiB", total>>20, r.store.TreeBytes>>20).
			Hintf("Remove what is not part of the app from the repository.")
	}
	return all, nil
}

// parseFile reads "<mode> <type> <object> <size>\t<path>" (git-ls-tree(1), --long).
func parseFile(entry string) (f file, err error) {
	head, name, found := strings.Cut(entry, "\t")
	fields := strings.Fields(head)
	if !found || len(fields) != 4 {
		return f, fmt.Errorf("git ls-tree printed %q", entry)
	}
	f = file{path: name, mode: fields[0], name: fields[2]}
	if fields[3] != "-" { // a submodule has no size
		if f.size, err = strconv.ParseInt(fields[3], 10, 64); err != nil {
			return f, fmt.Errorf("git ls-tree printed %q: %w", entry, err)
		}
	}
	return f, nil
}

func (s *Store) check(f file) error {
	switch {
	case f.mode == modeSubmodule:
		return anchor.Invalid("submodule", "%q is a Git submodule, which the server does not fetch", f.path).
			Hintf("Add its files to the repository, for example with git subtree, or deploy from your machine with anchor deploy.")
	case !filepath.IsLocal(f.path) || path.Clean(f.path) != f.path || hasGitFolder(f.path):
		return anchor.Invalid("bad_path", "the commit contains the path %q, which points outside the repository", f.path).
			Hintf("Remove it from the repository.")
	case f.size > s.FileBytes:
		return anchor.TooLarge("file_too_large", "%q has %d MiB; the limit is %d MiB", f.path, f.size>>20, s.FileBytes>>20).
			Hintf("Remove it from the repository, or serve it from elsewhere.")
	}
	return nil
}

func hasGitFolder(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.EqualFold(part, ".git") {
			return true
		}
	}
	return false
}

// CheckTree refuses a commit that Checkout would refuse for the names, kinds and sizes of its files.
func (r *Repository) CheckTree(ctx context.Context, commit string) error {
	_, err := r.files(ctx, commit)
	return err
}

// Checkout writes the files of a commit into an empty folder. created is called for each file and
// folder with its path. Nothing outside the folder is written, and no link leads out of it.
// Attributes of the repository have no effect: there are no filters.
func (r *Repository) Checkout(ctx context.Context, commit string, into *os.Root, created func(path string) error) error {
	files, err := r.files(ctx, commit)
	if err != nil {
		return err
	}
	w := &writer{root: into, created: created, folders: map[string]bool{".": true}}
	if err := r.read(ctx, files, w.write); err != nil {
		return err
	}
	return w.checkLinks()
}

// read calls each with the content of every file, in order.
func (r *Repository) read(ctx context.Context, files []file, each func(file, io.Reader) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := command(ctx, r.dir, "cat-file", "--batch")
	var names strings.Builder
	for _, f := range files {
		names.WriteString(f.name + "\n")
	}
	cmd.Stdin = strings.NewReader(names.String())
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("open a pipe to git: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start git: %w", err)
	}
	buffered := bufio.NewReaderSize(out, 64<<10)
	for _, f := range files {
		if err = readObject(buffered, f, each); err != nil {
			break
		}
	}
	if err != nil {
		cancel() // it would wait for a reader
	}
	if ended := cmd.Wait(); err == nil {
		err = explain(ended, "cat-file")
	}
	return err
}

// readObject reads "<object> <type> <size>\n<content>\n" (git-cat-file(1), --batch).
func readObject(from *bufio.Reader, f file, each func(file, io.Reader) error) error {
	head, err := from.ReadString('\n')
	if err != nil {
		return fmt.Errorf("read %q from git: %w", f.path, err)
	}
	if want := fmt.Sprintf("%s blob %d\n", f.name, f.size); head != want {
		return fmt.Errorf("read %q from git: it printed %q", f.path, head)
	}
	content := io.LimitReader(from, f.size)
	if err := each(f, content); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, content); err != nil {
		return fmt.Errorf("read %q from git: %w", f.path, err)
	}
	_, err = from.Discard(1)
	return err
}

// writer writes the files of a commit.
type writer struct {
	root    *os.Root
	created func(path string) error
	folders map[string]bool
	links   []string
}

func (w *writer) write(f file, content io.Reader) error {
	if err := w.makeFolder(path.Dir(f.path)); err != nil {
		return err
	}
	var err error
	if f.mode == modeLink {
		err = w.link(f, content)
	} else {
		err = w.file(f, content)
	}
	if err != nil {
		return err
	}
	return w.created(f.path)
}

func (w *writer) makeFolder(name string) error {
	if w.folders[name] {
		return nil
	}
	if err := w.makeFolder(path.Dir(name)); err != nil {
		return err
	}
	if err := w.root.Mkdir(name, 0o755); err != nil {
		return fmt.Errorf("write the files of the commit: %w", err)
	}
	w.folders[name] = true
	return w.created(name)
}

// lfsMark begins a pointer file of Git LFS (git-lfs, docs/spec.md); such files have less than 1 KiB.
const lfsMark = "version https://git-lfs.github.com/spec/"

func (w *writer) file(f file, content io.Reader) error {
	perm := fs.FileMode(0o644)
	if f.mode == modeExecutable {
		perm = 0o755
	}
	buffered := bufio.NewReader(content)
	if mark, _ := buffered.Peek(len(lfsMark)); string(mark) == lfsMark && f.size < 1<<10 {
		return anchor.Invalid("lfs_pointer", "%q is in Git LFS: the push contains only a pointer to it", f.path).
			Hintf("Add the file itself to the repository (git lfs migrate export), or deploy from your machine with anchor deploy.")
	}
	out, err := w.root.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return fmt.Errorf("write the files of the commit: %w", err)
	}
	_, err = io.Copy(out, buffered)
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("write the files of the commit: %w", err)
	}
	return nil
}

// maxLink is the longest target of a link (PATH_MAX).
const maxLink = 4096

func (w *writer) link(f file, content io.Reader) error {
	if f.size > maxLink {
		return linkEscapes(f.path, "a path that is too long")
	}
	target, err := io.ReadAll(content)
	if err != nil {
		return fmt.Errorf("read %q from git: %w", f.path, err)
	}
	if path.IsAbs(string(target)) || bytes.IndexByte(target, 0) >= 0 {
		return linkEscapes(f.path, string(target))
	}
	if err := w.root.Symlink(string(target), f.path); err != nil {
		return fmt.Errorf("write the files of the commit: %w", err)
	}
	w.links = append(w.links, f.path)
	return nil
}

func linkEscapes(name, target string) error {
	return anchor.Invalid("link_escapes", "%q is a symbolic link to %q, which is outside the repository", name, target).
		Hintf("Replace the link with a copy of its target.")
}

// checkLinks refuses links that lead out of the folder, also by way of other links.
func (w *writer) checkLinks() error {
	for _, name := range w.links {
		_, err := w.root.Stat(name)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			continue // a link to nothing does no harm
		}
		target, _ := w.root.Readlink(name)
		return linkEscapes(name, target)
	}
	return nil
}
