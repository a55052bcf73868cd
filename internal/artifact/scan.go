package artifact

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Rules decide which files of a folder belong to the artifact.
type Rules struct {
	// Keep is called with the slash-separated path of every file and folder. false leaves out
	// the file, or the folder with everything below it. nil keeps all.
	Keep func(path string) bool
	Limits
}

// Scan lists and hashes the files below dir and reads nothing outside it, whatever changes in
// dir meanwhile. nil rules keep all files within DefaultLimits.
//
// A symbolic link whose target is below dir stays a link, made relative; its target need not
// exist. Invalid errors name a link that leads out of dir (link_escapes) or in a circle
// (link_loop), and anything other than a file, folder or link (special_file). A file that
// changes while it is read is a Conflict.
func Scan(ctx context.Context, dir string, rules *Rules) (Manifest, error) {
	if rules == nil {
		rules = &Rules{Limits: DefaultLimits}
	}
	real, err := filepath.Abs(dir)
	if err == nil {
		real, err = filepath.EvalSymlinks(real)
	}
	if err != nil {
		return Manifest{}, unreadableError(err, dir)
	}
	root, err := os.OpenRoot(real)
	if err != nil {
		return Manifest{}, unreadableError(err, dir)
	}
	defer root.Close()
	s := &scanner{ctx: ctx, root: root, rules: rules}
	if err := s.walkFolder("."); err != nil {
		return Manifest{}, err
	}
	if err := s.hashFiles(); err != nil {
		return Manifest{}, err
	}
	return Manifest{Files: s.files}.Sorted(), nil
}

type scanner struct {
	ctx     context.Context
	root    *os.Root // its name is without links
	rules   *Rules
	files   []File
	entries int
	total   atomic.Int64 // bytes hashed
}

// entriesPerFile bounds the folders of an artifact by the limit of its files.
const entriesPerFile = 4

// walkFolder adds what is in the folder at rel. It follows no link.
func (s *scanner) walkFolder(rel string) error {
	entries, err := s.listFolder(rel)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := path.Join(rel, entry.Name())
		if s.rules.Keep != nil && !s.rules.Keep(name) {
			continue
		}
		if err := s.add(name, entry.Type()); err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) listFolder(rel string) ([]fs.DirEntry, error) {
	if err := s.ctx.Err(); err != nil {
		return nil, err
	}
	// O_DIRECTORY: a pipe that took the folder's place would not open until somebody writes to it.
	folder, err := s.root.OpenFile(filepath.FromSlash(rel), os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, unreadableError(err, s.sourcePath(rel))
	}
	defer folder.Close()
	room := entriesPerFile*s.rules.Files - s.entries
	entries, err := folder.ReadDir(room + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, unreadableError(err, s.sourcePath(rel))
	}
	if s.entries += len(entries); len(entries) > room {
		return nil, tooManyFiles(s.entries, s.rules.Files)
	}
	return entries, nil
}

func (s *scanner) add(name string, kind fs.FileMode) error {
	if err := CheckPath(name); err != nil {
		return err
	}
	switch {
	case kind.IsRegular():
		return s.addFile(File{Path: name})
	case kind.IsDir():
		return s.walkFolder(name)
	case kind&fs.ModeSymlink != 0:
		return s.addLink(name)
	}
	return specialFile(s.sourcePath(name))
}

func specialFile(source string) error {
	return anchor.Invalid("special_file", "%q is neither a file nor a folder nor a link", source).
		Hintf("Remove it, or leave it out of the build.")
}

func (s *scanner) addFile(f File) error {
	if s.files = append(s.files, f); len(s.files) > s.rules.Files {
		return tooManyFiles(len(s.files), s.rules.Files)
	}
	return nil
}

// addLink adds a link by where it really leads. Nothing is read there.
func (s *scanner) addLink(name string) error {
	source := s.sourcePath(name)
	target, err := filepath.EvalSymlinks(source)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return s.addDangling(name)
	case errors.Is(err, syscall.ELOOP), err != nil && isLoop(source):
		return anchor.Invalid("link_loop", "the link %q is part of a loop", source).Hintf("Remove the link.")
	case err != nil:
		return unreadableError(err, source)
	}
	inside, ok := s.relativePath(target)
	if !ok {
		return linkEscapes(source, target)
	}
	relative, err := filepath.Rel(filepath.FromSlash(path.Dir(name)), filepath.FromSlash(inside))
	if err != nil {
		return unreadableError(err, source)
	}
	return s.addFile(File{Path: name, Link: filepath.ToSlash(relative)})
}

// isLoop reports whether the kernel stops following the links on the way of name.
// EvalSymlinks counts them itself and returns an error without a type.
func isLoop(name string) bool {
	_, err := os.Stat(name)
	return errors.Is(err, syscall.ELOOP)
}

func linkEscapes(source, target string) error {
	return anchor.Invalid("link_escapes", "the link %q points outside the build, to %q", source, target).
		Hintf("Put a copy of what it leads to in the link's place, and deploy again.")
}

// addDangling keeps a link without a target if the target could only be in the artifact: the app
// worked with that link on the machine that built it.
func (s *scanner) addDangling(name string) error {
	target, err := s.root.Readlink(filepath.FromSlash(name))
	if err != nil {
		return unreadableError(err, s.sourcePath(name))
	}
	lexical := path.Join(path.Dir(name), filepath.ToSlash(target))
	if filepath.IsAbs(target) || lexical == ".." || strings.HasPrefix(lexical, "../") {
		return linkEscapes(s.sourcePath(name), target)
	}
	return s.addFile(File{Path: name, Link: filepath.ToSlash(target)})
}

func (s *scanner) sourcePath(name string) string { return pathBelow(s.root, name) }

func pathBelow(root *os.Root, name string) string {
	return filepath.Join(root.Name(), filepath.FromSlash(name))
}

// relativePath returns the slash-separated path of a real path below the root.
func (s *scanner) relativePath(target string) (string, bool) {
	rel, err := filepath.Rel(s.root.Name(), target)
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

func (s *scanner) hashFiles() error {
	group, ctx := errgroup.WithContext(s.ctx)
	order := s.byFolder()
	var next atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			opener := NewFolderFiles(s.root)
			defer opener.Close()
			for {
				i := int(next.Add(1)) - 1
				if i >= len(order) {
					return nil
				}
				if err := s.hashFile(ctx, opener, order[i]); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

// byFolder returns the files that have a content, those of a folder one after another.
func (s *scanner) byFolder() []*File {
	var order []*File
	for i := range s.files {
		if s.files[i].Link == "" {
			order = append(order, &s.files[i])
		}
	}
	slices.SortStableFunc(order, func(a, b *File) int { return strings.Compare(path.Dir(a.Path), path.Dir(b.Path)) })
	return order
}

func (s *scanner) hashFile(ctx context.Context, opener *FolderFiles, f *File) error {
	source := s.sourcePath(f.Path)
	file, err := opener.Open(f.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	before, err := file.Stat()
	if err != nil {
		return unreadableError(err, source)
	}
	if err := s.checkFits(f.Path, before.Size()); err != nil {
		return err
	}
	hash := sha256.New()
	buffer := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(buffer)
	read, err := io.CopyBuffer(hash, &reading{ctx: ctx, from: io.LimitReader(file, before.Size()+1)}, buffer[:])
	if err != nil {
		return unreadableError(err, source)
	}
	after, err := file.Stat()
	if err != nil {
		return unreadableError(err, source)
	}
	if read != before.Size() || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		return anchor.Conflict("file_changed", "%q changed while it was read", source).
			Hintf("Wait until the build is done, then deploy again.")
	}
	f.Size = read
	f.Digest = sumOf(hash)
	f.Exec = before.Mode()&0o111 != 0
	return nil
}

// checkFits refuses a file before it is read: a sparse one may claim more than a disk holds.
func (s *scanner) checkFits(name string, size int64) error {
	if size > s.rules.FileSize {
		return fileTooLarge(name, size, s.rules.FileSize)
	}
	if s.total.Add(size) > s.rules.Total {
		return artifactTooLarge(s.rules.Total, name)
	}
	return nil
}

// OpenIn opens a regular file below root, without waiting for anything: a pipe in its
// place is an Invalid error (special_file), as is a link that leads out of root.
func OpenIn(root *os.Root, name string) (*os.File, error) {
	return openIn(root, name, pathBelow(root, name))
}

// openIn is OpenIn for a file that errors call source.
func openIn(root *os.Root, name, source string) (*os.File, error) {
	file, err := root.OpenFile(filepath.FromSlash(name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, unreadableError(err, source)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = specialFile(source)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func unreadableError(err error, what string) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return anchor.Invalid("unreadable", "could not read %q", what).Because(err).
		Hintf("Check that it exists and that you can read it.")
}
