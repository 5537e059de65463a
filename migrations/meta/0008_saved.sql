-- What a team saves for itself: questions, dashboards, annotations. All that a person wrote stands in `body`, so that
-- one history serves all three.
CREATE TABLE saved (
    id         TEXT PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id),
    kind       TEXT NOT NULL CHECK (kind IN ('question', 'dashboard', 'annotation')),
    rank       BIGINT NOT NULL,    -- the place in the list; of an annotation its first instant
    until      BIGINT,             -- of an annotation: the first instant after it
    version    BIGINT NOT NULL,
    body       TEXT NOT NULL,      -- JSON
    created_by TEXT NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    changed_by TEXT NOT NULL REFERENCES users (id),
    changed_at BIGINT NOT NULL,
    deleted_at BIGINT              -- for 30 days it can be had back
);
CREATE INDEX saved_project ON saved (project_id, kind, rank, id);

-- Every state that something saved was in, the present one too.
CREATE TABLE saved_versions (
    saved_id   TEXT NOT NULL REFERENCES saved (id),
    version    BIGINT NOT NULL,
    shows      BIGINT NOT NULL,    -- the version that brought this content: another one after an undo
    body       TEXT NOT NULL,
    rank       BIGINT,             -- of an annotation, as above
    until      BIGINT,
    changed_by TEXT NOT NULL REFERENCES users (id),
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (saved_id, version)
)
