-- Up to which batch of each shard names were looked at: the row with the largest version counts.
CREATE TABLE IF NOT EXISTS schema_looks (
    one UInt8 DEFAULT 0,
    version UInt64,
    cuts Array(UInt64)
) ENGINE = ReplacingMergeTree(version)
ORDER BY one
