-- Requests of a deployment within the step (seconds) that ended at a time (Unix seconds).
CREATE TABLE IF NOT EXISTS points (
	project    TEXT    NOT NULL,
	step       INTEGER NOT NULL,
	at         INTEGER NOT NULL,
	deployment TEXT    NOT NULL,
	requests   INTEGER NOT NULL,
	errors     INTEGER NOT NULL,
	octets     INTEGER NOT NULL,
	outcomes   BLOB    NOT NULL, -- varints by meter.Outcome
	durations  BLOB    NOT NULL, -- varints: the sum in nanoseconds, then pairs of a bucket and its count
	PRIMARY KEY (project, step, at, deployment)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS points_by_time ON points (step, at);
