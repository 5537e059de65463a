-- The set of (actor, local day of activity): inserting twice is harmless. `version` is the batch, so that a
-- later batch wins over an earlier deletion.
CREATE TABLE IF NOT EXISTS actor_days (
    project UInt32,
    actor UInt64,
    day Date COMMENT 'local day at capture',
    deleted UInt8 DEFAULT 0,
    version UInt64
) ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(day)
ORDER BY (project, actor, day)
SETTINGS non_replicated_deduplication_window = 100000
