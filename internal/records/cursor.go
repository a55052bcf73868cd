package records

import (
	"strconv"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func badCursor(cursor string) error {
	return anchor.Invalid("bad_cursor", "%q is not a cursor of this list", cursor).
		Hintf("Pass the \"next\" of the previous page unchanged.")
}

// BeforeID reads the cursor of a list sorted by id. Rows with an id below the returned one
// belong to the page. The cursor of the first page is above every id.
func BeforeID(page anchor.Page) (string, error) {
	switch {
	case page.Cursor == "":
		return "~", nil // above all of Crockford's base32
	case !anchor.ValidID(page.Cursor):
		return "", badCursor(page.Cursor)
	}
	return page.Cursor, nil
}

// BeforeRevision reads the cursor of a list sorted by revision, as BeforeID does.
func BeforeRevision(page anchor.Page) (int64, error) { return beforeNumber(page) }

// BeforeOrder reads the cursor of a list sorted by Order, as BeforeID does.
func BeforeOrder(page anchor.Page) (int64, error) { return beforeNumber(page) }

func beforeNumber(page anchor.Page) (int64, error) {
	if page.Cursor == "" {
		return 1<<63 - 1, nil
	}
	n, err := strconv.ParseInt(page.Cursor, 10, 64)
	if err != nil || n < 1 {
		return 0, badCursor(page.Cursor)
	}
	return n, nil
}

// Cut makes a page of rows read one beyond its size; cursor names a row.
func Cut[T any](rows []T, page anchor.Page, cursor func(T) string) anchor.List[T] {
	size := page.Size()
	if len(rows) <= size {
		return anchor.List[T]{Items: rows}
	}
	rows = rows[:size]
	return anchor.List[T]{Items: rows, Next: cursor(rows[size-1])}
}

// ProjectCursor returns the cursor after p.
func ProjectCursor(p anchor.Project) string { return string(p.ID) }

// DeploymentCursor returns the cursor after d.
func DeploymentCursor(d anchor.Deployment) string { return strconv.FormatInt(d.Order, 10) }

// HostnameCursor returns the cursor after h.
func HostnameCursor(h anchor.Hostname) string { return string(h.ID) }

// ReleaseCursor returns the cursor after r.
func ReleaseCursor(r anchor.Release) string { return strconv.FormatInt(r.Revision, 10) }
