-- What was asked to be removed, how far it has come, and the certificate at the end.
CREATE TABLE erasures (
    id            TEXT PRIMARY KEY,
    project_id    TEXT NOT NULL REFERENCES projects (id),
    project       BIGINT NOT NULL,    -- its number
    kind          TEXT NOT NULL CHECK (kind IN ('person', 'range', 'project', 'retention')),
    distinct_ids  TEXT,               -- JSON array in clear, taken away when it is done
    hashes        TEXT NOT NULL,      -- JSON array: salted hashes of the distinct ids
    from_ms       BIGINT,
    to_ms         BIGINT,
    until_ms      BIGINT NOT NULL,    -- events known by then are taken
    version       BIGINT NOT NULL,    -- of the keys and tombstones that an endpoint must have loaded
    state         TEXT NOT NULL,
    detail        TEXT NOT NULL,
    progress      TEXT NOT NULL,      -- JSON: entries to wait for, counts, days
    certificate   TEXT,               -- JSON
    requested_by  TEXT,               -- email of the user; null: the retention sweep
    requested_at  BIGINT NOT NULL,
    finished_at   BIGINT
);
CREATE INDEX erasures_project ON erasures (project_id, id);
CREATE INDEX erasures_finished ON erasures (finished_at, id);

-- What must not come back. Never deleted: a replay or an import meets it years later.
CREATE TABLE tombstones (
    project   BIGINT NOT NULL,        -- number
    kind      TEXT NOT NULL CHECK (kind IN ('person', 'range', 'all')),
    subject   TEXT NOT NULL,          -- person: salted hash; range: its bounds; all: empty
    from_ms   BIGINT,
    to_ms     BIGINT,
    erased_at BIGINT NOT NULL,
    version   BIGINT NOT NULL,        -- at which it was written: readers ask for what is newer
    PRIMARY KEY (project, kind, subject)
);
CREATE INDEX tombstones_version ON tombstones (version);

-- One salt a project, so that hashes of one cannot be looked up in another.
CREATE TABLE salts (
    project BIGINT PRIMARY KEY,
    salt    TEXT NOT NULL
);

ALTER TABLE projects ADD COLUMN retention_months BIGINT;
ALTER TABLE projects ADD COLUMN retention_set_at BIGINT;
ALTER TABLE projects ADD COLUMN kept_from BIGINT;   -- events before this instant were removed by retention, and are refused
