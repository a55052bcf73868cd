-- Every change, in the order in which it was recorded. Entries outlive what they are about.
CREATE TABLE audit (
	seq        INTEGER PRIMARY KEY AUTOINCREMENT,
	project_id TEXT    NOT NULL,
	actor_id   TEXT    NOT NULL,
	actor      TEXT    NOT NULL,
	record     TEXT    NOT NULL
) STRICT;
CREATE INDEX audit_by_project ON audit (project_id, seq);

ALTER TABLE tokens ADD COLUMN projects     TEXT    NOT NULL DEFAULT ''; -- JSON list of ids; '' for all
ALTER TABLE tokens ADD COLUMN expires_at   INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tokens ADD COLUMN created_by   TEXT    NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN last_used_at INTEGER NOT NULL DEFAULT 0;
