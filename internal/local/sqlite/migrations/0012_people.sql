-- Who may sign in, and the sign-ins. Of secrets only hashes are stored. The credentials of a
-- person (passkeys, password) never leave the server, so they are not part of the record.
CREATE TABLE people (
	id          TEXT PRIMARY KEY,
	name        TEXT NOT NULL UNIQUE,
	record      TEXT NOT NULL,
	credentials TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
	id         TEXT    PRIMARY KEY,
	person_id  TEXT    NOT NULL REFERENCES people (id) ON DELETE CASCADE,
	hash       BLOB    NOT NULL UNIQUE,
	record     TEXT    NOT NULL,
	seen_at    INTEGER NOT NULL,
	expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_person ON sessions (person_id, id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE sign_in_links (
	id         TEXT    PRIMARY KEY,
	person_id  TEXT    NOT NULL REFERENCES people (id) ON DELETE CASCADE,
	hash       BLOB    NOT NULL UNIQUE,
	record     TEXT    NOT NULL,
	expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_links_by_person ON sign_in_links (person_id);
CREATE INDEX sign_in_links_by_expiry ON sign_in_links (expires_at);
