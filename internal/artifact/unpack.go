package artifact

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Unpack lays the deployment's files out and returns the folder, which is Tree(id). It keeps
// what an interrupted Unpack has laid out, and does nothing for a complete tree. The tree is
// durable on return.
func (s *Store) Unpack(ctx context.Context, id anchor.DeploymentID) (dir string, m Manifest, err error) {
	defer s.busy.Lock(string(id))()
	if m, err = s.Manifest(ctx, id); err != nil {
		return "", Manifest{}, err
	}
	done, err := s.root.ReadFile(donePath(id))
	if err == nil && string(done) == string(m.Digest()) {
		if _, gone := s.root.Lstat(treePath(id)); gone == nil {
			return s.Tree(id), m, nil
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", Manifest{}, diskError(err, "read %s", s.joinPath(donePath(id)))
	}
	if err := s.settleContents(ctx, id, m); err != nil {
		return "", Manifest{}, err
	}
	if err := s.layOut(ctx, treePath(id), m); err != nil {
		return "", Manifest{}, err
	}
	if err := s.syncAll(treePath(id), blobsDir); err != nil {
		return "", Manifest{}, err
	}
	if err := s.writeFile(donePath(id), []byte(m.Digest())); err != nil {
		return "", Manifest{}, err
	}
	return s.Tree(id), m, nil
}

// layOut makes the folders, then the files, then the links, so that no file is ever
// written by way of a link.
func (s *Store) layOut(ctx context.Context, tree string, m Manifest) error {
	// An existing tree may have been admitted to its group already.
	if _, err := s.root.Lstat(tree); errors.Is(err, fs.ErrNotExist) {
		if err := s.makeFolder(tree, privateFolder); err != nil {
			return err
		}
	}
	folders := map[string]bool{}
	for _, f := range m.Files {
		for dir := path.Dir(f.Path); dir != "." && !folders[dir]; dir = path.Dir(dir) {
			folders[dir] = true
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		if err := s.makeFolder(path.Join(tree, folder), openFolder); err != nil {
			return err
		}
	}
	if err := s.placeFiles(ctx, tree, m); err != nil {
		return err
	}
	for _, f := range m.Files {
		if f.Link == "" {
			continue
		}
		if err := s.placeLink(f, path.Join(tree, f.Path)); err != nil {
			return err
		}
	}
	return nil
}

// placeFiles places the files a folder at a time, so that each folder is opened once.
func (s *Store) placeFiles(ctx context.Context, tree string, m Manifest) error {
	folders := map[string][]File{}
	for _, f := range m.Files {
		if f.Link == "" {
			folders[path.Dir(f.Path)] = append(folders[path.Dir(f.Path)], f)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2 * runtime.GOMAXPROCS(0))
	for name, files := range folders {
		group.Go(func() error {
			folder, err := s.root.Open(path.Join(tree, name))
			if err != nil {
				return diskError(err, "open %s", s.joinPath(path.Join(tree, name)))
			}
			defer folder.Close()
			for _, f := range files {
				if err := errors.Join(ctx.Err(), s.placeFile(folder, f, path.Join(tree, f.Path))); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func (s *Store) placeFile(folder *os.File, f File, name string) error {
	blob := blobPath(f.Digest)
	if f.Exec {
		var err error
		if blob, err = s.executableCopy(f.Digest); err != nil {
			return err
		}
	}
	linking := unix.Linkat(unix.AT_FDCWD, s.joinPath(blob), int(folder.Fd()), path.Base(name), 0)
	if errors.Is(linking, fs.ErrExist) {
		same, err := s.sameFile(blob, name)
		if same || err != nil {
			return err
		}
		if err := s.root.Remove(name); err != nil {
			return diskError(err, "replace %s", s.joinPath(name))
		}
		linking = s.root.Link(blob, name)
	}
	if linking == nil {
		return nil
	}
	// Too many links to one file (ext4 takes 65000), or a file system without.
	return s.copyContent(blob, name, f.Exec)
}

func (s *Store) sameFile(a, b string) (bool, error) {
	infoA, errA := s.root.Lstat(a)
	infoB, errB := s.root.Lstat(b)
	if err := errors.Join(errA, errB); err != nil {
		return false, diskError(err, "compare %s with its content", s.joinPath(b))
	}
	return os.SameFile(infoA, infoB), nil
}

// executableCopy returns the copy of a content that has the mode of a program: a mode belongs to
// the file, and so to all its hard links.
func (s *Store) executableCopy(d Digest) (string, error) {
	twin := blobPath(d) + twinSuffix
	_, err := s.root.Lstat(twin)
	if errors.Is(err, fs.ErrNotExist) {
		return twin, s.copyContent(blobPath(d), twin, true)
	}
	if err != nil {
		return "", diskError(err, "look for the content %s", d)
	}
	return twin, nil
}

// copyContent makes a durable copy of a content.
func (s *Store) copyContent(from, to string, exec bool) (err error) {
	mode := fs.FileMode(0o444)
	if exec {
		mode = 0o555
	}
	temp := tempPath()
	defer func() {
		if err != nil {
			err = s.giveUp(diskError(err, "copy to %s", s.joinPath(to)), temp)
		}
	}()
	in, err := s.root.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := s.root.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = errors.Join(out.Chmod(mode), out.Sync())
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	return s.root.Rename(temp, to)
}

func (s *Store) placeLink(f File, name string) error {
	err := s.root.Symlink(f.Link, name)
	if errors.Is(err, fs.ErrExist) {
		if target, reading := s.root.Readlink(name); reading == nil && target == f.Link {
			return nil
		}
		if err = s.root.Remove(name); err == nil {
			err = s.root.Symlink(f.Link, name)
		}
	}
	if err != nil {
		return diskError(err, "make the link %s", s.joinPath(name))
	}
	return nil
}
