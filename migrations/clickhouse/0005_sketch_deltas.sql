-- Who was active, as HLL++ sketches: one for each batch, event name ('' = any activity) and local day.
CREATE TABLE IF NOT EXISTS sketch_deltas (
    project UInt32,
    event LowCardinality(String),
    day Date COMMENT 'local day',
    sketch String CODEC(NONE),
    shard UInt16,
    batch UInt64,
    try UInt8,
    received_hour DateTime('UTC')
) ENGINE = MergeTree
PARTITION BY received_hour
ORDER BY (project, event, day, shard, batch)
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 100000
