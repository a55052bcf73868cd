CREATE TABLE IF NOT EXISTS namespaces (
	id   INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE
);

-- revalidated_at is NULL for a row that has no such attribute; those are not in the path index, as in DynamoDB.
CREATE TABLE IF NOT EXISTS tags (
	ns             INTEGER NOT NULL REFERENCES namespaces(id) ON DELETE CASCADE,
	tag            TEXT    NOT NULL,
	path           TEXT    NOT NULL,
	revalidated_at INTEGER,
	extra          TEXT,
	PRIMARY KEY (ns, tag, path)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS tags_by_path ON tags (ns, path, revalidated_at) WHERE revalidated_at IS NOT NULL;

-- deleted marks a seeded object that the app deleted, so that seeding again does not bring it back.
CREATE TABLE IF NOT EXISTS seeds (
	ns          INTEGER NOT NULL REFERENCES namespaces(id) ON DELETE CASCADE,
	key         TEXT    NOT NULL,
	file        TEXT    NOT NULL,
	modified_ms INTEGER NOT NULL,
	deleted     INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (ns, key)
) WITHOUT ROWID;
