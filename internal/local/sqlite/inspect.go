package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Contents is what a file of records knows about the files beside it.
type Contents struct {
	Deployments map[anchor.DeploymentID]bool // including those removed with their project
	Revisions   map[anchor.ProjectID]int64   // of the live pointers; math.MaxInt64 for a deleted project
}

// Inspect reads the records at path without changing them, and checks every page of the file. A
// missing or empty file has no contents. A damaged file, one of another program and one of a newer
// Anchor are errors as Open's.
func Inspect(ctx context.Context, path string) (Contents, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && info.Size() == 0:
		return Contents{}, nil
	case err != nil:
		return Contents{}, fmt.Errorf("look at the records: %w", err)
	case !info.Mode().IsRegular():
		return Contents{}, errDamaged(path).Because(errNoFile)
	}
	db, err := openPool(path, 1, "query_only(1)", "ro")
	if err != nil {
		return Contents{}, err
	}
	defer db.Close()
	c, err := inspectContents(ctx, db)
	return c, explainOpenError(path, err)
}

func inspectContents(ctx context.Context, db *sql.DB) (c Contents, err error) {
	t, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return c, err
	}
	defer t.Rollback() //nolint:errcheck // it has changed nothing
	version, err := schemaVersion(tx{ctx, t}, len(migrations))
	if err != nil || version == 0 {
		return c, err
	}
	if err := checkIntegrity(tx{ctx, t}); err != nil {
		return c, err
	}
	known := `SELECT id FROM deployments`
	if version >= removedSince {
		known += ` UNION SELECT id FROM removed_deployments`
	}
	c.Deployments, c.Revisions = map[anchor.DeploymentID]bool{}, map[anchor.ProjectID]int64{}
	err = scanEach(tx{ctx, t}, known, func(row scanner) error {
		var id anchor.DeploymentID
		err := row.Scan(&id)
		c.Deployments[id] = true
		return err
	})
	if err != nil {
		return c, err
	}
	revisions := `SELECT project_id, max(revision) FROM releases GROUP BY project_id`
	if version >= removedSince {
		revisions += fmt.Sprintf(` UNION SELECT project_id, %d FROM removed_deployments`, int64(math.MaxInt64))
	}
	return c, scanEach(tx{ctx, t}, revisions, func(row scanner) error {
		var p anchor.ProjectID
		var revision int64
		err := row.Scan(&p, &revision)
		c.Revisions[p] = revision
		return err
	})
}

// removedSince is the first version of the schema with removed_deployments.
const removedSince = 3

var errNoFile = errors.New("it is not a file")

// errUnsound reports a file whose pages contradict each other, as they do under the log (-wal) of
// another database.
var errUnsound = errors.New("its pages contradict one another")

func checkIntegrity(t tx) error {
	var verdict string
	if err := t.queryRow(`PRAGMA integrity_check(1)`).Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("%w: %s", errUnsound, strings.Join(strings.Fields(verdict), " "))
	}
	return scanEach(t, `PRAGMA foreign_key_check`, func(scanner) error {
		return fmt.Errorf("%w: a row names another that is not there", errUnsound)
	})
}

func scanEach(t tx, query string, read func(scanner) error) error {
	rows, err := t.QueryContext(t.ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := read(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
