-- A group of errors with the same cause. Times are Unix milliseconds.
CREATE TABLE IF NOT EXISTS groups (
	project  TEXT    NOT NULL,
	id       TEXT    NOT NULL,
	title    TEXT    NOT NULL,
	location TEXT    NOT NULL,
	function TEXT    NOT NULL,
	count    INTEGER NOT NULL,
	first    INTEGER NOT NULL,
	last     INTEGER NOT NULL,
	sample   BLOB    NOT NULL, -- the last line, JSON
	PRIMARY KEY (project, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS groups_by_time ON groups (project, last);
-- The errors of a group by the deployment that logged them.
CREATE TABLE IF NOT EXISTS counts (
	project    TEXT    NOT NULL,
	id         TEXT    NOT NULL,
	deployment TEXT    NOT NULL,
	count      INTEGER NOT NULL,
	first      INTEGER NOT NULL,
	last       INTEGER NOT NULL,
	PRIMARY KEY (project, id, deployment),
	FOREIGN KEY (project, id) REFERENCES groups ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
