package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Scan lists and hashes the files below dir. keep is asked with the slash-separated
// path of every file and folder, and a false drops it and all below; nil keeps all.
//
// A symbolic link whose target is below dir stays a link, made relative. One that
// leads elsewhere, as in a pnpm tree, is replaced by what it leads to: an artifact
// must not depend on the machine that built it. Sockets, pipes and devices are
// refused, and so is a file that changes while it is read.
func Scan(ctx context.Context, dir string, keep func(path string) bool) (Manifest, error) {
	root, err := filepath.Abs(dir)
	if err == nil {
		root, err = filepath.EvalSymlinks(root)
	}
	if err != nil {
		return Manifest{}, unreadable(err, dir)
	}
	if keep == nil {
		keep = func(string) bool { return true }
	}
	s := &scanner{ctx: ctx, root: root, keep: keep}
	if err := s.walk("", []string{root}); err != nil {
		return Manifest{}, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range s.files {
		if s.files[i].Link != "" {
			continue
		}
		group.Go(func() error { return hashFile(ctx, s.sources[i], &s.files[i]) })
	}
	if err := group.Wait(); err != nil {
		return Manifest{}, err
	}
	return Manifest{Files: s.files}.Sorted(), nil
}

type scanner struct {
	ctx     context.Context
	root    string // without links
	keep    func(string) bool
	files   []File
	sources []string // where each of files is read
}

// walk adds what is in the folder at rel. within holds the real paths of that folder,
// last, and of those it is in, to notice links that lead in a circle.
func (s *scanner) walk(rel string, within []string) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	real := within[len(within)-1]
	entries, err := os.ReadDir(real)
	if err != nil {
		return unreadable(err, real)
	}
	for _, entry := range entries {
		name := path.Join(rel, entry.Name())
		if !s.keep(name) {
			continue
		}
		if err := s.add(name, filepath.Join(real, entry.Name()), entry.Type(), within); err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) add(name, source string, kind fs.FileMode, within []string) error {
	switch {
	case kind.IsRegular():
		s.found(File{Path: name}, source)
		return nil
	case kind.IsDir():
		return s.walk(name, append(slices.Clone(within), source))
	case kind&fs.ModeSymlink != 0:
		return s.link(name, source, within)
	}
	return anchor.Invalid("special_file", "%s is neither a file nor a folder nor a link", source).
		Hintf("Remove it, or leave it out of the build.")
}

func (s *scanner) found(f File, source string) {
	s.files = append(s.files, f)
	s.sources = append(s.sources, source)
}

func (s *scanner) link(name, source string, within []string) error {
	target, err := filepath.EvalSymlinks(source)
	if errors.Is(err, fs.ErrNotExist) {
		return s.dangling(name, source)
	}
	if err != nil {
		return unreadable(err, source)
	}
	if inside, ok := s.relative(target); ok {
		relative, err := filepath.Rel(filepath.FromSlash(path.Dir(name)), filepath.FromSlash(inside))
		if err != nil {
			return unreadable(err, source)
		}
		s.found(File{Path: name, Link: filepath.ToSlash(relative)}, source)
		return nil
	}
	if slices.Contains(within, target) || strings.HasPrefix(s.root, target+string(filepath.Separator)) {
		return anchor.Invalid("link_loop", "the link %s leads to %s, which it is in", source, target).
			Hintf("Remove the link.")
	}
	info, err := os.Stat(target)
	if err != nil {
		return unreadable(err, target)
	}
	return s.add(name, target, info.Mode().Type(), within)
}

// dangling keeps a link to a file that is not there if it could only be in the
// artifact: the app lived with it on the machine that built it.
func (s *scanner) dangling(name, source string) error {
	target, err := os.Readlink(source)
	if err != nil {
		return unreadable(err, source)
	}
	lexical := path.Join(path.Dir(name), filepath.ToSlash(target))
	if filepath.IsAbs(target) || lexical == ".." || strings.HasPrefix(lexical, "../") {
		return anchor.Invalid("broken_link", "the link %s leads to %s, which is not there", source, target).
			Hintf("Install the dependencies again and rebuild, or remove the link.")
	}
	s.found(File{Path: name, Link: filepath.ToSlash(target)}, source)
	return nil
}

// relative gives the slash-separated path of a real path below the root.
func (s *scanner) relative(target string) (string, bool) {
	rel, err := filepath.Rel(s.root, target)
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

func hashFile(ctx context.Context, source string, f *File) error {
	file, err := os.Open(source)
	if err != nil {
		return unreadable(err, source)
	}
	defer file.Close()
	before, err := file.Stat()
	if err != nil {
		return unreadable(err, source)
	}
	hash := sha256.New()
	read, err := io.Copy(hash, &reading{ctx: ctx, from: file})
	if err != nil {
		return unreadable(err, source)
	}
	after, err := file.Stat()
	if err != nil {
		return unreadable(err, source)
	}
	if read != before.Size() || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		return anchor.Conflict("file_changed", "%s changed while it was read", source).
			Hintf("Wait until the build is done, then deploy again.")
	}
	f.Size = read
	f.Digest = Digest(hex.EncodeToString(hash.Sum(nil)))
	f.Exec = before.Mode()&0o111 != 0
	return nil
}

func unreadable(err error, what string) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return anchor.Invalid("unreadable", "could not read %s", what).Because(err).
		Hintf("Check that it is there and that you may read it.")
}
