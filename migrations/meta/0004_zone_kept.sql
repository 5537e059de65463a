-- Whether the zone is still the one that the project was created with: then the days stored with its events are the
-- days that questions mean. Unknown for projects from before this column, so 0 for them.
ALTER TABLE projects ADD COLUMN zone_kept BIGINT NOT NULL DEFAULT 0
