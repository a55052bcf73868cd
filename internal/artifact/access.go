package artifact

import (
	"context"
	"os"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Admit lets the members of a group read a deployment's tree; until then only the owner of the
// store may. All trees with the same content share its file, so the tree's folder is what
// excludes other users.
func (s *Store) Admit(_ context.Context, id anchor.DeploymentID, group int) error {
	if err := CheckID(id); err != nil {
		return err
	}
	defer s.busy.Lock(string(id))()
	tree := treePath(id)
	// The group first: so no moment admits the wrong users.
	if err := s.root.Chown(tree, -1, group); err != nil {
		return diskError(err, "hand %s to group %d", s.joinPath(tree), group)
	}
	if err := s.root.Chmod(tree, groupFolder); err != nil {
		return diskError(err, "let group %d into %s", group, s.joinPath(tree))
	}
	return nil
}

// closeTrees closes the trees to everyone but their group. Stores of earlier versions
// left them open to every user.
func (s *Store) closeTrees() error {
	entries, err := s.listFolder(treesDir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		name := treesDir + "/" + entry.Name()
		info, err := s.root.Lstat(name)
		if err != nil {
			return diskError(err, "look at %s", s.joinPath(name))
		}
		if info.Mode().Perm()&^os.FileMode(groupFolder) == 0 {
			continue
		}
		if err := s.root.Chmod(name, privateFolder); err != nil {
			return diskError(err, "close %s", s.joinPath(name))
		}
	}
	return nil
}
