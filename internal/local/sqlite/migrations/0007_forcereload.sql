-- Whether the release ended the use of earlier deployments by open tabs, so that these reload.
ALTER TABLE releases ADD COLUMN force_reload INTEGER NOT NULL DEFAULT 0;
