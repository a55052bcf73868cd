-- Repositories at other hosts that projects are connected to. record is JSON without secrets; sealed
-- holds the secrets under the key of the installation.
CREATE TABLE connections (
	project_id TEXT NOT NULL PRIMARY KEY REFERENCES projects ON DELETE CASCADE,
	record     TEXT NOT NULL,
	sealed     BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- What hosts delivered. outcome is '' until a delivery has been processed.
CREATE TABLE deliveries (
	seq         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	project_id  TEXT    NOT NULL REFERENCES projects ON DELETE CASCADE,
	id          TEXT    NOT NULL,
	summary     TEXT    NOT NULL,
	events      BLOB    NOT NULL,
	received_at INTEGER NOT NULL,
	outcome     TEXT    NOT NULL DEFAULT '',
	UNIQUE (project_id, id)
) STRICT;
CREATE INDEX deliveries_waiting ON deliveries (seq) WHERE outcome = '';

-- What is known of pull requests, and what is reported to hosts; record is JSON.
CREATE TABLE pull_requests (
	project_id TEXT    NOT NULL REFERENCES projects ON DELETE CASCADE,
	number     INTEGER NOT NULL,
	comment    TEXT    NOT NULL,
	record     TEXT    NOT NULL,
	PRIMARY KEY (project_id, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE host_reports (
	project_id TEXT    NOT NULL REFERENCES projects ON DELETE CASCADE,
	deployment TEXT    NOT NULL,
	done       INTEGER NOT NULL,
	record     TEXT    NOT NULL,
	PRIMARY KEY (project_id, deployment)
) STRICT, WITHOUT ROWID;
CREATE INDEX host_reports_open ON host_reports (project_id) WHERE NOT done;
