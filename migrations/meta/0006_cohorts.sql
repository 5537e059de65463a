-- What cohorts mean. Who belongs to them is written down in ClickHouse.
CREATE TABLE cohorts (
    id            TEXT PRIMARY KEY,
    project_id    TEXT NOT NULL REFERENCES projects (id),
    name          TEXT NOT NULL,
    description   TEXT NOT NULL,
    definition    TEXT,               -- JSON: the rules; null: an uploaded list
    created_by    TEXT NOT NULL,      -- email of the user
    created_at    BIGINT NOT NULL,
    changed_by    TEXT NOT NULL,
    changed_at    BIGINT NOT NULL,
    refreshed_at  BIGINT NOT NULL,    -- when its members were last looked for, 0: never
    problem       TEXT,               -- why that failed
    computed_at   BIGINT NOT NULL,    -- when its members were last written down, 0: never
    size          BIGINT NOT NULL,    -- how many they were then
    claimed_until BIGINT NOT NULL     -- a worker is looking for them
);
CREATE INDEX cohorts_project ON cohorts (project_id, id);
CREATE INDEX cohorts_refreshed ON cohorts (refreshed_at, id);
