-- How a release divides traffic between its deployment and another one, and how the split before it
-- ended: JSON, '' for none.
ALTER TABLE releases ADD COLUMN split TEXT NOT NULL DEFAULT '';
ALTER TABLE releases ADD COLUMN ended_split TEXT NOT NULL DEFAULT '';
