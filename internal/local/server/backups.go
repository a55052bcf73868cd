package server

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/sqlite"
)

// recordCopies implements api.Backups.
type recordCopies struct{ *app }

func (r recordCopies) folder() sqlite.Backups { return folder(r.Data).backupsOf() }

// List implements api.Backups.
func (r recordCopies) List(context.Context) ([]anchor.Backup, error) { return r.folder().List() }

// Make implements api.Backups.
func (r recordCopies) Make(ctx context.Context) (anchor.Backup, error) {
	if err := r.store.Backup(ctx, r.folder(), backupsKept); err != nil {
		return anchor.Backup{}, err
	}
	all, err := r.folder().List()
	if err != nil {
		return anchor.Backup{}, err
	}
	if len(all) == 0 {
		return anchor.Backup{}, errors.New("the copy of the records is not in its folder")
	}
	return all[0], nil
}

// Verify implements api.Backups.
func (r recordCopies) Verify(ctx context.Context, name string) error {
	all, err := r.folder().List()
	if err != nil {
		return err
	}
	for _, one := range all {
		if one.Name != name {
			continue
		}
		c, err := sqlite.Inspect(ctx, filepath.Join(string(r.folder()), name))
		if err == nil && c.Deployments == nil {
			err = errors.New("the file is empty")
		}
		if err != nil {
			return anchor.Conflict("backup_damaged", "%s cannot replace the records: %v", name, err).Because(err).
				Hintf("Make another copy with anchor backups make, and check the disk of %s.", r.folder())
		}
		return nil
	}
	return anchor.NotFound("unknown_backup", "there is no copy of the records %q", name).Hintf("To list the copies, run anchor backups ls")
}
