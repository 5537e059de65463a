-- How many events of each name and UTC quarter hour each batch brought. Compaction passes them, then they go.
CREATE TABLE IF NOT EXISTS count_deltas (
    project UInt32,
    event LowCardinality(String),
    bucket DateTime('UTC') COMMENT 'start of a UTC quarter hour',
    count UInt64,
    shard UInt16,
    batch UInt64,
    try UInt8,
    received_hour DateTime('UTC')
) ENGINE = MergeTree
PARTITION BY received_hour
ORDER BY (project, event, bucket, shard, batch)
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 100000
