-- A project that is being removed accepts nothing new. Its rows stay until everything else of it is
-- removed. Its releases stay with them: a start compares their revisions with the files.
ALTER TABLE projects ADD COLUMN removing INTEGER NOT NULL DEFAULT 0;
