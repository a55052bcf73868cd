-- Crons of live deployments: up to when the runs that were due are accounted for.
CREATE TABLE crons (
	project_id TEXT    NOT NULL REFERENCES projects ON DELETE CASCADE,
	path       TEXT    NOT NULL,
	schedule   TEXT    NOT NULL,
	seen       INTEGER NOT NULL,
	PRIMARY KEY (project_id, path, schedule)
) STRICT, WITHOUT ROWID;

-- Paths that are not run on their schedule. They stay paused when a deployment lacks them for a while.
CREATE TABLE cron_pauses (
	project_id TEXT NOT NULL REFERENCES projects ON DELETE CASCADE,
	path       TEXT NOT NULL,
	PRIMARY KEY (project_id, path)
) STRICT, WITHOUT ROWID;

-- Runs of crons; record is JSON.
CREATE TABLE cron_runs (
	id         TEXT    NOT NULL PRIMARY KEY,
	project_id TEXT    NOT NULL REFERENCES projects ON DELETE CASCADE,
	path       TEXT    NOT NULL,
	running    INTEGER NOT NULL,
	record     TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX cron_runs_of_path ON cron_runs (project_id, path, id);
CREATE INDEX cron_runs_running ON cron_runs (id) WHERE running;

-- Who may see the previews of a project: JSON, sealed under the key of the installation.
CREATE TABLE preview_protections (
	project_id TEXT NOT NULL PRIMARY KEY REFERENCES projects ON DELETE CASCADE,
	sealed     BLOB NOT NULL
) STRICT, WITHOUT ROWID;
