package sqlite

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// PutProtection stores the sealed protection of a project's previews, in place of the one before; nil
// removes it. Durable on return. It returns NotFound when the project does not exist or is being removed.
func (s *Store) PutProtection(ctx context.Context, p anchor.ProjectID, sealed []byte) error {
	return s.writeTx(ctx, "store the protection of previews", func(t tx) error {
		if err := checkOwner(t, p); err != nil {
			return err
		}
		var err error
		if sealed == nil {
			_, err = t.execRows(`DELETE FROM preview_protections WHERE project_id = ?`, p)
		} else {
			_, err = t.execRows(`INSERT INTO preview_protections (project_id, sealed) VALUES (?, ?)
				ON CONFLICT DO UPDATE SET sealed = excluded.sealed`, p, sealed)
		}
		return err
	})
}

// Protections returns the sealed protections of all projects.
func (s *Store) Protections(ctx context.Context) (map[anchor.ProjectID][]byte, error) {
	type row struct {
		project anchor.ProjectID
		sealed  []byte
	}
	rows, err := queryAll(ctx, s.read, "read the protections of previews", func(r scanner) (one row, err error) {
		return one, r.Scan(&one.project, &one.sealed)
	}, `SELECT project_id, sealed FROM preview_protections`)
	all := make(map[anchor.ProjectID][]byte, len(rows))
	for _, r := range rows {
		all[r.project] = r.sealed
	}
	return all, err
}
