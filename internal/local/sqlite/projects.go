package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

const (
	newColumns     = `id, slug, production_branch, created_at, memory_bytes, cpu_millis, processes, preview_keep, preview_days`
	projectColumns = newColumns + `, removing`
	insertProject  = `INSERT INTO projects (` + newColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
)

func projectValues(p anchor.Project) []any {
	return []any{
		p.ID, p.Slug, p.ProductionBranch, p.CreatedAt,
		p.Limits.MemoryBytes, p.Limits.CPUMillis, p.Limits.Processes,
		p.Previews.Keep, p.Previews.Days,
	}
}

func scanProject(row scanner) (p anchor.Project, err error) {
	err = row.Scan(&p.ID, &p.Slug, &p.ProductionBranch, &p.CreatedAt,
		&p.Limits.MemoryBytes, &p.Limits.CPUMillis, &p.Limits.Processes,
		&p.Previews.Keep, &p.Previews.Days, &p.Removing)
	return p, err
}

// CreateProject inserts p, durable on return. It returns a Conflict, "slug_taken" or "id_taken",
// when there is a project with that slug or id.
func (s *Store) CreateProject(ctx context.Context, p anchor.Project) error {
	return s.writeTx(ctx, "create the project", func(t tx) error {
		switch slugTaken, err := rowExists(t, `SELECT 1 FROM projects WHERE slug = ?`, p.Slug); {
		case err != nil:
			return err
		case slugTaken:
			return records.SlugTaken(p.Slug)
		}
		_, err := t.execRows(insertProject, projectValues(p)...)
		if isUniqueViolation(err) {
			return records.IDTaken("project", string(p.ID))
		}
		return err
	})
}

func rowExists(t tx, query string, args ...any) (found bool, err error) {
	err = t.queryRow(`SELECT EXISTS (`+query+`)`, args...).Scan(&found)
	return found, err
}

// Project returns one project or NotFound.
func (s *Store) Project(ctx context.Context, id anchor.ProjectID) (anchor.Project, error) {
	return s.getProject(ctx, `id = ?`, string(id))
}

// ProjectBySlug returns one project or NotFound.
func (s *Store) ProjectBySlug(ctx context.Context, slug string) (anchor.Project, error) {
	return s.getProject(ctx, `slug = ?`, slug)
}

func (s *Store) getProject(ctx context.Context, where, key string) (anchor.Project, error) {
	p, err := scanProject(s.read.QueryRowContext(ctx, `SELECT `+projectColumns+` FROM projects WHERE `+where, key))
	if errors.Is(err, sql.ErrNoRows) {
		return anchor.Project{}, records.NoProject(key)
	}
	return p, explainError("read the project", err)
}

// Projects lists all, newest first. It returns Invalid for a malformed cursor.
func (s *Store) Projects(ctx context.Context, page anchor.Page) (anchor.List[anchor.Project], error) {
	before, err := records.BeforeID(page)
	if err != nil {
		return anchor.List[anchor.Project]{}, err
	}
	found, err := queryAll(ctx, s.read, "list the projects", scanProject,
		`SELECT `+projectColumns+` FROM projects WHERE id < ? ORDER BY id DESC LIMIT ?`, before, page.Size()+1)
	return records.Cut(found, page, records.ProjectCursor), err
}

// SetLimits replaces the project's limits, durable on return. It returns NotFound when the project
// does not exist or is being removed.
func (s *Store) SetLimits(ctx context.Context, id anchor.ProjectID, l anchor.Limits) error {
	return s.writeTx(ctx, "set the project's limits", func(t tx) error {
		if err := checkOwner(t, id); err != nil {
			return err
		}
		_, err := t.execRows(`UPDATE projects SET memory_bytes = ?, cpu_millis = ?, processes = ? WHERE id = ?`,
			l.MemoryBytes, l.CPUMillis, l.Processes, id)
		return err
	})
}

// SetPreviewRetention replaces the project's retention of previews, durable on return. It returns
// NotFound when the project does not exist or is being removed.
func (s *Store) SetPreviewRetention(ctx context.Context, id anchor.ProjectID, r anchor.PreviewRetention) error {
	return s.writeTx(ctx, "set the retention of previews", func(t tx) error {
		if err := checkOwner(t, id); err != nil {
			return err
		}
		_, err := t.execRows(`UPDATE projects SET preview_keep = ?, preview_days = ? WHERE id = ?`, r.Keep, r.Days, id)
		return err
	})
}

// checkOwner returns NotFound for a project that does not exist or is being removed: nothing can be
// added to it.
func checkOwner(t tx, p anchor.ProjectID) error {
	var removing bool
	err := t.queryRow(`SELECT removing FROM projects WHERE id = ?`, p).Scan(&removing)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return records.NoProject(string(p))
	case err != nil:
		return err
	case removing:
		return records.Removing(p)
	}
	return nil
}

// RetireProject marks the project as being removed, durable on return: it accepts nothing new, and
// has no live pointer and no variables. Its releases stay, because Inspect compares their revisions
// with the files. Idempotent. It returns NotFound when the project does not exist.
func (s *Store) RetireProject(ctx context.Context, id anchor.ProjectID) error {
	return s.writeTx(ctx, "retire the project", func(t tx) error {
		switch n, err := t.execRows(`UPDATE projects SET removing = 1 WHERE id = ?`, id); {
		case err != nil:
			return err
		case n == 0:
			return records.NoProject(string(id))
		}
		_, err := t.execRows(`DELETE FROM env WHERE project_id = ?`, id)
		return err
	})
}

// Removed reports whether the deployment was removed with its project.
func (s *Store) Removed(ctx context.Context, id anchor.DeploymentID) (found bool, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM removed_deployments WHERE id = ?)`, id).Scan(&found)
	return found, explainError("look for a removed deployment", err)
}

// DeleteProject removes the project and everything that belongs to it, durable on return. It
// returns NotFound when the project does not exist. Removed remembers its deployments.
func (s *Store) DeleteProject(ctx context.Context, id anchor.ProjectID) error {
	return s.writeTx(ctx, "delete the project", func(t tx) error {
		_, err := t.execRows(`INSERT OR IGNORE INTO removed_deployments (id, project_id)
			SELECT id, project_id FROM deployments WHERE project_id = ?`, id)
		if err != nil {
			return err
		}
		switch n, err := t.execRows(`DELETE FROM projects WHERE id = ?`, id); {
		case err != nil:
			return err
		case n == 0:
			return records.NoProject(string(id))
		}
		return nil
	})
}
