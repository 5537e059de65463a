-- Who and what was seen: each actor (kind '') and each group that events name. A set: a row inserted twice is harmless.
CREATE TABLE IF NOT EXISTS profiles (
    project UInt32,
    kind LowCardinality(String) COMMENT 'type of a group; empty for persons',
    owner UInt64 COMMENT 'actor, or xxh3 of the group''s key',
    id SimpleAggregateFunction(any, String) COMMENT 'distinct id, or the group''s key' CODEC(ZSTD(1)),
    is_user SimpleAggregateFunction(max, UInt8) COMMENT 'whether the application gave the id',
    first_seen SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    last_seen SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
) ENGINE = AggregatingMergeTree
ORDER BY (project, kind, owner)
SETTINGS non_replicated_deduplication_window = 100000
