-- Ids are ULIDs: their order is the order of creation, so lists sort by id.
PRAGMA application_id = 1634624360; -- "anch"

CREATE TABLE projects (
	id                TEXT    PRIMARY KEY,
	slug              TEXT    NOT NULL UNIQUE,
	production_branch TEXT    NOT NULL,
	created_at        INTEGER NOT NULL,
	last_number       INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- The whole record is kept as JSON; the generated columns are what queries ask for.
CREATE TABLE deployments (
	id         TEXT    NOT NULL PRIMARY KEY,
	project_id TEXT    NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
	number     INTEGER,
	record     TEXT    NOT NULL,
	status     TEXT    NOT NULL AS (record ->> '$.status') STORED,
	kept       INTEGER NOT NULL AS (record ->> '$.status' = 'deployed'
		AND NOT record ->> '$.isRollback'
		AND coalesce(record ->> '$.prunedAt', 0) = 0) STORED,
	UNIQUE (project_id, number)
) STRICT;
CREATE INDEX deployments_by_project ON deployments (project_id, id);
CREATE INDEX deployments_kept ON deployments (project_id, id) WHERE kept;
CREATE INDEX deployments_unfinished ON deployments (id)
	WHERE status IN ('queued', 'building', 'built', 'deploying');

-- The live pointer of a project is its release of the highest revision: there is
-- no second place that could disagree.
CREATE TABLE releases (
	project_id    TEXT    NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
	revision      INTEGER NOT NULL,
	id            TEXT    NOT NULL UNIQUE,
	kind          TEXT    NOT NULL,
	deployment_id TEXT    NOT NULL,
	from_id       TEXT    NOT NULL,
	record_id     TEXT    NOT NULL,
	version       TEXT    NOT NULL,
	request       TEXT    NOT NULL,
	created_at    INTEGER NOT NULL,
	PRIMARY KEY (project_id, revision)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
	deployment_id TEXT    NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
	seq           INTEGER NOT NULL,
	time          INTEGER NOT NULL,
	step          TEXT    NOT NULL,
	phase         TEXT    NOT NULL,
	message       TEXT    NOT NULL,
	duration_ms   INTEGER NOT NULL,
	status        TEXT    NOT NULL,
	PRIMARY KEY (deployment_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
	id         TEXT    PRIMARY KEY,
	name       TEXT    NOT NULL,
	scope      TEXT    NOT NULL,
	hash       BLOB    NOT NULL UNIQUE,
	created_at INTEGER NOT NULL,
	revoked_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE env (
	project_id TEXT    NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
	name       TEXT    NOT NULL,
	phase      TEXT    NOT NULL,
	sealed     BLOB    NOT NULL,
	updated_at INTEGER NOT NULL,
	PRIMARY KEY (project_id, name)
) STRICT;

CREATE TABLE locked_env (
	deployment_id TEXT NOT NULL PRIMARY KEY REFERENCES deployments (id) ON DELETE CASCADE,
	sealed        BLOB NOT NULL
) STRICT;
