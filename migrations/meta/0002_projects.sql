CREATE TABLE projects (
    id              TEXT PRIMARY KEY,
    number          BIGINT NOT NULL,   -- the key in ClickHouse and Redis, from counters: never reused
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name            TEXT NOT NULL,
    timezone        TEXT NOT NULL,     -- IANA name
    created_at      BIGINT NOT NULL,
    zone_changed_at BIGINT,            -- a zone change whose rebuild is not queued yet
    deleted_at      BIGINT             -- the row stays: it keeps the number taken
);
CREATE UNIQUE INDEX projects_number ON projects (number);
CREATE INDEX projects_organization ON projects (organization_id, id);

CREATE TABLE api_keys (
    id           TEXT PRIMARY KEY,
    project_id   TEXT NOT NULL REFERENCES projects (id),
    kind         TEXT NOT NULL CHECK (kind IN ('write', 'secret')),
    name         TEXT NOT NULL,
    lookup       TEXT NOT NULL,        -- the key itself (write) or its SHA-256 in hex (secret)
    prefix       TEXT NOT NULL,
    last4        TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT,
    revoked_at   BIGINT
);
CREATE UNIQUE INDEX api_keys_lookup ON api_keys (lookup);
CREATE INDEX api_keys_project ON api_keys (project_id, id);

-- What other processes keep in memory, and when it changed last.
CREATE TABLE versions (
    name  TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
