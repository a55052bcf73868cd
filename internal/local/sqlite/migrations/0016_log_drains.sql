-- Where copies of log lines go. record is JSON without secrets; sealed holds the secrets under the key of the installation.
CREATE TABLE log_drains (
	id         TEXT NOT NULL PRIMARY KEY,
	project_id TEXT REFERENCES projects ON DELETE CASCADE,
	record     TEXT NOT NULL,
	sealed     BLOB NOT NULL
) STRICT, WITHOUT ROWID;
