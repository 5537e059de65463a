-- What people say about the names of a project's events and properties.
CREATE TABLE schema_marks (
    project_id  TEXT NOT NULL REFERENCES projects (id),
    kind        TEXT NOT NULL CHECK (kind IN ('event', 'property', 'person')),
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    hidden      BIGINT NOT NULL,
    verified    BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    updated_by  TEXT NOT NULL,      -- email of the user
    PRIMARY KEY (project_id, kind, name)
)
