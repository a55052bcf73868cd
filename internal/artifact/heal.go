package artifact

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Damage is what is wrong with a deployment's files.
type Damage struct {
	Missing []string // paths in the tree that are not there
	Changed []string // paths in the tree that hold something else than was uploaded
}

// Any reports whether anything is wrong.
func (d Damage) Any() bool { return len(d.Missing)+len(d.Changed) > 0 }

// Inspect compares a deployment's tree with its manifest. It reads every file, and
// changes nothing.
func (s *Store) Inspect(ctx context.Context, id anchor.DeploymentID) (Damage, error) {
	m, err := s.Manifest(ctx, id)
	if err != nil {
		return Damage{}, err
	}
	var d Damage
	for _, f := range m.Files {
		if err := ctx.Err(); err != nil {
			return d, err
		}
		name := path.Join(treePath(id), f.Path)
		switch ok, err := s.holdsFile(name, f); {
		case errors.Is(err, fs.ErrNotExist):
			d.Missing = append(d.Missing, f.Path)
		case err != nil:
			return d, diskError(err, "read %s", s.joinPath(name))
		case !ok:
			d.Changed = append(d.Changed, f.Path)
		}
	}
	return d, nil
}

// holdsFile reports whether the file or link at name is as f describes it.
func (s *Store) holdsFile(name string, f File) (bool, error) {
	if f.Link != "" {
		target, err := s.root.Readlink(name)
		if errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		return err == nil && target == f.Link, nil
	}
	info, err := s.root.Lstat(name)
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() || info.Size() != f.Size {
		return false, nil
	}
	return s.hasDigest(name, f.Digest)
}

func (s *Store) hasDigest(name string, want Digest) (bool, error) {
	file, err := s.root.Open(name)
	if err != nil {
		return false, err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return false, err
	}
	return sumOf(hash) == want, nil
}

// Heal lays out again what Inspect finds missing or changed, from the contents and their copies
// in the tree and as executables, and returns what it could not repair. A content that is
// damaged everywhere is forgotten, so that the next upload sends it again; the damaged file
// stays in the tree.
func (s *Store) Heal(ctx context.Context, id anchor.DeploymentID) (Damage, error) {
	found, err := s.Inspect(ctx, id)
	if err != nil {
		return found, err
	}
	m, err := s.Manifest(ctx, id)
	if err != nil {
		return found, err
	}
	if err := s.healContents(ctx, id, m); err != nil {
		return found, err
	}
	defer s.busy.Lock(string(id))()
	whole, err := s.wholePart(m)
	if err != nil {
		return found, err
	}
	if err := s.clearChanged(id, whole, found.Changed); err != nil {
		return found, err
	}
	if err := s.layOut(ctx, treePath(id), whole); err != nil {
		return found, err
	}
	if err := s.syncAll(treePath(id), blobsDir); err != nil {
		return found, err
	}
	if len(whole.Files) == len(m.Files) {
		if err := s.writeFile(donePath(id), []byte(m.Digest())); err != nil {
			return found, err
		}
	}
	return s.Inspect(ctx, id)
}

// wholePart returns the part of m whose contents are stored.
func (s *Store) wholePart(m Manifest) (Manifest, error) {
	var part Manifest
	for _, f := range m.Files {
		if f.Link == "" {
			_, err := s.root.Lstat(blobPath(f.Digest))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return part, diskError(err, "look for the content %s", f.Digest)
			}
		}
		part.Files = append(part.Files, f)
	}
	return part, nil
}

// clearChanged removes what is in the way of the files of m.
func (s *Store) clearChanged(id anchor.DeploymentID, m Manifest, changed []string) error {
	for _, f := range m.Files {
		if !slices.Contains(changed, f.Path) {
			continue
		}
		name := path.Join(treePath(id), f.Path)
		if err := s.root.RemoveAll(name); err != nil {
			return diskError(err, "replace %s", s.joinPath(name))
		}
	}
	return nil
}

// healContents makes every content of m whole from whichever copy of it is.
func (s *Store) healContents(ctx context.Context, id anchor.DeploymentID, m Manifest) error {
	for _, f := range m.Files {
		if f.Link != "" {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.healContent(f, path.Join(treePath(id), f.Path)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) healContent(f File, inTree string) error {
	blob := blobPath(f.Digest)
	twin := blob + twinSuffix
	if whole, _ := s.holdsFile(twin, f); !whole {
		if err := s.root.RemoveAll(twin); err != nil {
			return diskError(err, "remove the damaged %s", s.joinPath(twin))
		}
	}
	if whole, _ := s.holdsFile(blob, f); whole {
		return nil
	}
	if err := s.root.RemoveAll(blob); err != nil {
		return diskError(err, "remove the damaged %s", s.joinPath(blob))
	}
	for _, source := range []string{twin, inTree} {
		if whole, _ := s.holdsFile(source, f); !whole {
			continue
		}
		if err := s.makeFolder(path.Dir(blob), openFolder); err != nil {
			return err
		}
		return s.copyContent(source, blob, false)
	}
	return nil
}
