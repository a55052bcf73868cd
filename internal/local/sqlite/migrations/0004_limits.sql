-- What the processes of a project may take together; 0 is no limit.
ALTER TABLE projects ADD COLUMN memory_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN cpu_millis   INTEGER NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN processes    INTEGER NOT NULL DEFAULT 0;
