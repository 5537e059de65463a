-- How many events of a day arrived more than 24 hours after they happened: each batch's share.
CREATE TABLE IF NOT EXISTS late_days (
    project UInt32,
    day Date COMMENT 'local day of ts at capture',
    count UInt64,
    shard UInt16,
    batch UInt64,
    try UInt8,
    received_hour DateTime('UTC')
) ENGINE = MergeTree
PARTITION BY toYYYYMM(received_hour)
ORDER BY (project, day, shard, batch)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 100000
