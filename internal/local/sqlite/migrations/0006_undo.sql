-- Since when some requests reach another deployment than the release's (Unix milliseconds): its
-- switch failed half-way and could not be undone as a whole. 0 is never.
ALTER TABLE releases ADD COLUMN divided_since INTEGER NOT NULL DEFAULT 0;
