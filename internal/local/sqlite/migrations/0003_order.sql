-- Deployments and releases of a project are ordered by a number that the records
-- hand out when they accept them: ids carry the time of a clock that can go back.
ALTER TABLE projects    ADD COLUMN last_order INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deployments ADD COLUMN accepted   INTEGER NOT NULL DEFAULT 0;
ALTER TABLE releases    ADD COLUMN accepted   INTEGER NOT NULL DEFAULT 0;

-- Rows lie in the order of their insertion. The odd numbers are left for the
-- releases that no deployment asked for, which come after the deployments of their time.
UPDATE deployments SET accepted = numbered.n FROM
	(SELECT id, 2 * row_number() OVER (PARTITION BY project_id ORDER BY rowid) AS n FROM deployments) AS numbered
	WHERE numbered.id = deployments.id;
UPDATE releases SET accepted = CASE kind
	WHEN 'deploy' THEN coalesce((SELECT accepted FROM deployments d WHERE d.id = releases.record_id), 0)
	ELSE 1 + coalesce((SELECT max(accepted) FROM deployments d
		WHERE d.project_id = releases.project_id AND d.id < releases.request), 0) END;
UPDATE projects SET last_order = 1 + coalesce((SELECT max(accepted) FROM deployments d WHERE d.project_id = projects.id), 0);
ALTER TABLE releases DROP COLUMN request;

-- A superseded deployment can be promoted from now on. The files of those that
-- ended before were removed at their end.
UPDATE deployments SET record = json_set(record, '$.prunedAt', max(1, coalesce(record ->> '$.createdAt', 1)))
	WHERE status = 'superseded' AND coalesce(record ->> '$.prunedAt', 0) = 0;

DROP INDEX deployments_by_project;
DROP INDEX deployments_kept;
DROP INDEX deployments_unfinished;
ALTER TABLE deployments DROP COLUMN kept;
ALTER TABLE deployments ADD COLUMN serves INTEGER AS (NOT record ->> '$.isRollback'
	AND coalesce(record ->> '$.prunedAt', 0) = 0
	AND (record ->> '$.status' = 'deployed' OR record ->> '$.status' = 'superseded' AND record ->> '$.version' != '')) VIRTUAL;
CREATE UNIQUE INDEX deployments_by_project ON deployments (project_id, accepted);
CREATE INDEX deployments_serving ON deployments (project_id, accepted) WHERE serves;
CREATE INDEX deployments_unfinished ON deployments (project_id, accepted)
	WHERE status IN ('queued', 'building', 'built', 'deploying');

-- What belonged to a deleted project: its files go to the trash, while files that
-- the records have never heard of are nothing to remove.
CREATE TABLE removed_deployments (
	id         TEXT NOT NULL PRIMARY KEY,
	project_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
