-- Which previews of a project are kept; 0 is the default of the server.
ALTER TABLE projects ADD COLUMN preview_keep INTEGER NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN preview_days INTEGER NOT NULL DEFAULT 0;
