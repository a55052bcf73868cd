package sqlite

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// resultCode returns SQLite's extended result code, or 0 when err is not an error of SQLite.
func resultCode(err error) int {
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// primaryCode returns the primary result code: the low byte of the extended one.
func primaryCode(err error) int { return resultCode(err) & 0xff }

func isUniqueViolation(err error) bool {
	c := resultCode(err)
	return c == sqlite3.SQLITE_CONSTRAINT_UNIQUE || c == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
}

func isForeignKeyViolation(err error) bool {
	return resultCode(err) == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
}

// explainError adds a hint for the user to an error of SQLite.
func explainError(what string, err error) error {
	if e := (*anchor.Error)(nil); err == nil || errors.As(err, &e) {
		return err
	}
	switch primaryCode(err) {
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return anchor.Failed("records_damaged", "%s: the records are damaged", what).
			Hintf("Stop Anchor and start it again: it checks the records and names the copy to put back.").Because(err)
	case sqlite3.SQLITE_FULL:
		return anchor.Failed("disk_full", "%s: the disk is full", what).
			Hintf("Free space on the disk that holds Anchor's data.").Because(err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return (&anchor.Error{
			Kind: anchor.KindBusy, Code: "records_busy", Message: what + ": another process is writing to the records",
		}).Hintf("Wait for it to end, then try again.").Because(err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

func errDamaged(path string) *anchor.Error {
	return anchor.Failed("records_damaged", "%s is damaged or not a database", path).
		Hintf("Restore a copy of it, or use another data folder: --data.")
}

func explainOpenError(path string, err error) error {
	switch primaryCode(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return (&anchor.Error{
			Kind: anchor.KindBusy, Code: "records_busy", Message: "the records in " + path + " are in use by another process",
		}).Hintf("Stop the other server, or use another data folder: --data.").Because(err)
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT:
		return errDamaged(path).Because(err)
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return anchor.Failed("records_denied", "Anchor may not write to %s or its folder", path).
			Hintf("Make the data folder and its contents writable for the user that runs Anchor.").Because(err)
	}
	if errors.Is(err, errUnsound) {
		return errDamaged(path).Because(err)
	}
	return explainError("open the records in "+path, err)
}
