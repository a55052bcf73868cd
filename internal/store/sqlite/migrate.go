package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// applicationID marks a file as ours (SQLite file format, offset 68).
const applicationID = 0x616e6368

//go:embed migrations/*.sql
var embedded embed.FS

// migrations are the steps of the schema: the n-th file, counted from 1, leads to
// user_version n. A released one is never changed.
var migrations = readMigrations(embedded)

func readMigrations(files fs.FS) []string {
	names, err := fs.Glob(files, "migrations/*.sql") // sorted
	if err != nil {
		panic(err)
	}
	steps := make([]string, len(names))
	for i, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			panic(err)
		}
		steps[i] = string(text)
	}
	return steps
}

// migrate takes the schema through the steps it lacks, each in a transaction of
// its own with its number, so that a crash leaves a whole version.
func migrate(ctx context.Context, db *sql.DB, steps []string) error {
	for {
		done, err := migrateOne(ctx, db, steps)
		if done || err != nil {
			return err
		}
	}
}

func migrateOne(ctx context.Context, db *sql.DB, steps []string) (done bool, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it has nothing to do
	version, err := schemaVersion(ctx, tx)
	if err != nil {
		return false, err
	}
	if version > len(steps) {
		return false, anchor.Conflict("newer_schema",
			"the records were written by a newer Anchor (schema %d, this one knows %d)", version, len(steps)).
			Hintf("Run the newer Anchor, or give this one another folder with --data.")
	}
	if version == len(steps) {
		return true, nil
	}
	if _, err := tx.ExecContext(ctx, steps[version]); err != nil {
		return false, fmt.Errorf("bring the schema to version %d: %w", version+1, err)
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version+1)); err != nil {
		return false, err
	}
	return false, tx.Commit()
}

func schemaVersion(ctx context.Context, tx *sql.Tx) (int, error) {
	var version, application, tables int
	row := tx.QueryRowContext(ctx, `SELECT
		(SELECT user_version FROM pragma_user_version),
		(SELECT application_id FROM pragma_application_id),
		(SELECT count(*) FROM sqlite_schema)`)
	if err := row.Scan(&version, &application, &tables); err != nil {
		return 0, err
	}
	if application != applicationID && (application != 0 || version != 0 || tables != 0) {
		return 0, anchor.Conflict("foreign_database", "the file is another program's database").
			Hintf("Give Anchor a folder of its own with --data.")
	}
	return version, nil
}
