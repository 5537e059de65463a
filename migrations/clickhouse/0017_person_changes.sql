-- Every row that `person_map` ever had: how it was at an earlier time.
CREATE TABLE IF NOT EXISTS person_changes (
    project UInt32,
    actor UInt64,
    person UInt64,
    split Int64,
    version UInt64
) ENGINE = MergeTree
ORDER BY (project, actor, version)
