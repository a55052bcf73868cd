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

// migrations are the steps of the schema: the n-th file, counted from 1, upgrades to user_version
// n. A released one is never changed.
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

// checkSchema refuses a file of another program or of a newer Anchor, which knows more
// steps than known.
func checkSchema(ctx context.Context, db *sql.DB, known int) error {
	return inTransaction(ctx, db, func(t tx) error {
		_, err := schemaVersion(t, known)
		return err
	})
}

// migrateSchema applies the missing steps to the schema, each in one transaction with its number, so that
// a crash leaves a complete version.
func migrateSchema(ctx context.Context, db *sql.DB, steps []string) error {
	for done := false; !done; {
		err := inTransaction(ctx, db, func(t tx) (err error) {
			done, err = migrateOne(t, steps)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// copyBefore copies records of an older schema to the folder of copies before the first step
// changes them: the older Anchor can use that copy. It replaces the copy of an earlier try at the
// same version; copies of other versions stay.
func (s *Store) copyBefore(ctx context.Context, steps []string) error {
	var version int
	err := inTransaction(ctx, s.records, func(t tx) (err error) {
		version, err = schemaVersion(t, len(steps))
		return err
	})
	if err != nil || version == 0 || version == len(steps) { // 0: an empty file
		return err
	}
	if err := s.copyAs(ctx, s.backups.ofSchema(version)); err != nil {
		return anchor.Failed("no_upgrade_copy", "the records have schema %d and need schema %d, but they could not be copied first", version, len(steps)).
			Hintf("The records were not changed. Make %s a folder that Anchor may write to, on a disk with room for another copy of the records, then start again.", s.backups).
			Because(err)
	}
	return nil
}

func migrateOne(t tx, steps []string) (done bool, err error) {
	version, err := schemaVersion(t, len(steps))
	if err != nil || version == len(steps) {
		return true, err
	}
	if _, err := t.execRows(steps[version]); err != nil {
		return false, fmt.Errorf("bring the schema to version %d: %w", version+1, err)
	}
	_, err = t.execRows(fmt.Sprintf("PRAGMA user_version = %d", version+1))
	return false, err
}

func schemaVersion(t tx, known int) (version int, err error) {
	var application, tables int
	err = t.queryRow(`SELECT
		(SELECT user_version FROM pragma_user_version),
		(SELECT application_id FROM pragma_application_id),
		(SELECT count(*) FROM sqlite_schema)`).Scan(&version, &application, &tables)
	switch {
	case err != nil:
		return 0, err
	case application != applicationID && (application != 0 || version != 0 || tables != 0):
		return 0, anchor.Conflict("foreign_database", "the file is another program's database").
			Hintf("Use a data folder for Anchor alone: --data.")
	case version > known:
		return 0, anchor.Conflict("newer_schema",
			"the records were written by a newer Anchor (schema %d, this one knows %d)", version, known).
			Hintf("Run the newer version, or use another data folder: --data.")
	}
	return version, nil
}
