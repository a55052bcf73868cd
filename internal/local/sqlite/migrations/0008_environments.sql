-- A variable is for an environment ('production', 'preview', '' for both) and a branch ('' for all).
CREATE TABLE env_of_environments (
	project_id  TEXT    NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
	name        TEXT    NOT NULL,
	environment TEXT    NOT NULL,
	branch      TEXT    NOT NULL,
	phase       TEXT    NOT NULL,
	sealed      BLOB    NOT NULL,
	updated_at  INTEGER NOT NULL,
	PRIMARY KEY (project_id, name, environment, branch)
) STRICT;
INSERT INTO env_of_environments (project_id, name, environment, branch, phase, sealed, updated_at)
	SELECT project_id, name, '', '', phase, sealed, updated_at FROM env;
DROP TABLE env;
ALTER TABLE env_of_environments RENAME TO env;
