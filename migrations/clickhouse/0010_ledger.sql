-- What became of every event received: each batch's share by project, minute of receipt and source. Days older
-- than a week are folded to quarter hours, whose rows name no batch (0).
CREATE TABLE IF NOT EXISTS ledger (
    project UInt32,
    minute DateTime('UTC') COMMENT 'start of the minute of receipt',
    source LowCardinality(String),
    outcome LowCardinality(String),
    reason LowCardinality(String) COMMENT 'code of a rejection',
    count Int64 COMMENT 'negative where an outcome is taken back',
    shard UInt16,
    batch UInt64,
    try UInt8,
    received_hour DateTime('UTC') COMMENT 'when the stream took the last entry of the batch'
) ENGINE = MergeTree
PARTITION BY toYYYYMMDD(received_hour)
ORDER BY (project, minute, source, outcome, reason, shard, batch)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 100000
