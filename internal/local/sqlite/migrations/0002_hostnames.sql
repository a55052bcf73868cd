-- The whole record is kept as JSON; the generated columns are what queries ask for.
-- A name is unique over all projects: of two who attach it, one wins.
CREATE TABLE hostnames (
	id         TEXT    NOT NULL PRIMARY KEY,
	project_id TEXT    NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
	name       TEXT    NOT NULL UNIQUE,
	revision   INTEGER NOT NULL,
	record     TEXT    NOT NULL,
	next_check INTEGER NOT NULL AS (coalesce(record ->> '$.nextCheckAt', 0)) STORED
) STRICT;
CREATE INDEX hostnames_by_project ON hostnames (project_id, id);
CREATE INDEX hostnames_due ON hostnames (next_check, id) WHERE next_check > 0;
