-- Stretches of clients' own numbering that arrived: what is missing between them never did. Kept for a week.
CREATE TABLE IF NOT EXISTS client_sequences (
    project UInt32,
    minute DateTime('UTC') COMMENT 'start of the minute of receipt',
    source LowCardinality(String),
    client UInt64,
    first UInt64,
    last UInt64,
    count UInt64 COMMENT 'events that arrived with these numbers',
    shard UInt16,
    batch UInt64,
    try UInt8,
    received_hour DateTime('UTC')
) ENGINE = MergeTree
PARTITION BY toYYYYMMDD(received_hour)
ORDER BY (project, minute, source, client, shard, batch)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 100000
