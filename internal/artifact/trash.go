package artifact

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// The names inside an entry of the trash.
const (
	trashedTree     = "tree"
	trashedManifest = "manifest.json"
)

// Remove moves a deployment's tree and manifest to the trash. They stay there, with the
// contents that the manifest names, until EmptyTrash. Nothing to remove is not an error.
func (s *Store) Remove(_ context.Context, id anchor.DeploymentID) error {
	return s.moveAway(id, trashDir, "")
}

// SetAside moves a deployment's tree and manifest to a folder that Anchor never
// empties: for files that no record mentions. It returns the folder.
func (s *Store) SetAside(_ context.Context, id anchor.DeploymentID) (string, error) {
	if err := s.makeFolder(asideDir, privateFolder); err != nil {
		return "", err
	}
	return s.joinPath(asideDir), s.moveAway(id, asideDir, "")
}

// moveAway moves a deployment's tree and manifest to a folder. A successor, if it is not "",
// replaces the tree, which must exist.
func (s *Store) moveAway(id anchor.DeploymentID, folder, successor string) error {
	if err := CheckID(id); err != nil {
		return err
	}
	defer s.busy.Lock(string(id))()
	// A tree is complete only while it is in its place.
	if err := s.root.RemoveAll(donePath(id)); err != nil {
		return diskError(err, "remove %s", s.joinPath(donePath(id)))
	}
	entry := folder + "/" + string(id) + "." + anchor.NewID()
	tree := treePath(id)
	if successor != "" {
		old, err := s.succeedTree(tree, successor)
		if err != nil {
			return err
		}
		tree = old
	}
	for _, move := range []struct{ from, to string }{
		{tree, trashedTree}, {manifestPath(id), trashedManifest},
	} {
		if _, err := s.root.Lstat(move.from); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := s.makeFolder(entry, privateFolder); err != nil {
			return err
		}
		if err := s.root.Rename(move.from, entry+"/"+move.to); err != nil {
			return diskError(err, "move %s to %s", s.joinPath(move.from), s.joinPath(entry))
		}
	}
	return nil
}

// succeedTree replaces a tree by a successor and returns where the old tree is now. Where the
// system can exchange folders, one of the two exists at every moment.
func (s *Store) succeedTree(tree, successor string) (old string, err error) {
	if err := exchangePaths(s.joinPath(tree), s.joinPath(successor)); err == nil {
		return successor, nil
	}
	old = tempPath()
	if err := s.root.Rename(tree, old); err != nil {
		return "", diskError(err, "move %s", s.joinPath(tree))
	}
	if err := s.root.Rename(successor, tree); err != nil {
		return "", diskError(err, "move %s to %s", s.joinPath(successor), s.joinPath(tree))
	}
	return old, nil
}

// Reduce removes the files of a deployment that keep refuses; the others can be read meanwhile.
// The whole tree and manifest are moved to the trash. A deployment without such files stays as
// it is, one without others is removed, and a missing one is not an error.
func (s *Store) Reduce(ctx context.Context, id anchor.DeploymentID, keep func(File) bool) error {
	// Cut short between the removal and the smaller manifest, it begins with the whole one.
	if _, err := s.TakeBack(ctx, id); err != nil {
		return err
	}
	m, err := s.Manifest(ctx, id)
	if errors.Is(err, anchor.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var less Manifest
	for _, f := range m.Files {
		if keep(f) {
			less.Files = append(less.Files, f)
		}
	}
	if len(less.Files) == 0 { // no manifest may be empty
		return s.Remove(ctx, id)
	}
	if len(less.Files) < len(m.Files) {
		if err := s.replaceTree(ctx, id, less); err != nil {
			return err
		}
		if err := s.SaveManifest(ctx, id, less); err != nil {
			return err
		}
	}
	_, _, err = s.Unpack(ctx, id)
	return err
}

// replaceTree moves a deployment's tree and manifest to the trash and puts a smaller tree in
// place of the old one.
func (s *Store) replaceTree(ctx context.Context, id anchor.DeploymentID, less Manifest) error {
	if _, err := s.root.Lstat(treePath(id)); err != nil {
		return s.Remove(ctx, id)
	}
	successor := tempPath()
	err := s.layOut(ctx, successor, less)
	if err == nil {
		err = s.moveAway(id, trashDir, successor)
	}
	if err != nil {
		return errors.Join(err, s.root.RemoveAll(successor))
	}
	return nil
}

// TakeBack returns a deployment's latest removal from the trash to its place, and
// reports whether there was one. The tree has to be completed by Unpack.
func (s *Store) TakeBack(ctx context.Context, id anchor.DeploymentID) (bool, error) {
	if _, err := s.Manifest(ctx, id); !errors.Is(err, anchor.ErrNotFound) {
		return false, err
	}
	entries, err := s.listTrash()
	if err != nil {
		return false, err
	}
	defer s.busy.Lock(string(id))()
	for _, entry := range slices.Backward(entries) {
		if entry.id != id {
			continue
		}
		err := s.root.Rename(entry.path+"/"+trashedManifest, manifestPath(id))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, diskError(err, "take the deployment %s back from the trash", id)
		}
		err = s.root.Rename(entry.path+"/"+trashedTree, treePath(id))
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			return true, diskError(err, "take the tree of %s back from the trash", id)
		}
		return true, errors.Join(s.syncFolder(manifestsDir), s.root.RemoveAll(entry.path))
	}
	return false, nil
}

// EmptyTrash deletes files that were removed longer than age ago.
func (s *Store) EmptyTrash(ctx context.Context, age time.Duration) error {
	entries, err := s.listTrash()
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if time.Since(entry.removed) < age {
			continue
		}
		if err := s.root.RemoveAll(entry.path); err != nil {
			return diskError(err, "empty the trash %s", s.joinPath(entry.path))
		}
	}
	return nil
}

type trashEntry struct {
	id      anchor.DeploymentID
	path    string
	removed time.Time
}

// listTrash lists the trash, the latest removal of a deployment last.
func (s *Store) listTrash() ([]trashEntry, error) {
	found, err := s.listFolder(trashDir)
	if err != nil {
		return nil, err
	}
	entries := make([]trashEntry, 0, len(found))
	for _, f := range found {
		id, _, _ := strings.Cut(f.Name(), ".")
		info, err := f.Info()
		if errors.Is(err, fs.ErrNotExist) || !anchor.ValidID(id) {
			continue
		}
		if err != nil {
			return nil, diskError(err, "list %s", s.joinPath(trashDir))
		}
		entries = append(entries, trashEntry{anchor.DeploymentID(id), trashDir + "/" + f.Name(), info.ModTime()})
	}
	return entries, nil
}

// readTrashNames adds what the manifests in the trash name: what is taken back from
// there needs its contents.
func (s *Store) readTrashNames(ctx context.Context, into *names) error {
	entries, err := s.listTrash()
	if err != nil {
		return err
	}
	for _, entry := range entries {
		data, err := s.root.ReadFile(entry.path + "/" + trashedManifest)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return diskError(err, "read the manifest of %s in the trash", entry.id)
		}
		var m Manifest
		if json.Unmarshal(data, &m) == nil { // a damaged one cannot be taken back
			into.add(m)
		}
	}
	return ctx.Err()
}
