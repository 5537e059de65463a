-- What events added to numbers: each addition at the place of its event, once.
CREATE TABLE IF NOT EXISTS profile_adds (
    project UInt32,
    kind LowCardinality(String) COMMENT 'type of a group; empty for persons',
    name String COMMENT 'of the property' CODEC(ZSTD(1)),
    owner UInt64 COMMENT 'actor, or xxh3 of the group''s key',
    place String COMMENT 'as in profile_properties' CODEC(ZSTD(1)),
    amount Float64
) ENGINE = ReplacingMergeTree
ORDER BY (project, kind, name, owner, place)
SETTINGS non_replicated_deduplication_window = 100000
