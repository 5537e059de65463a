-- Compacted counts. A row means something only if `compactions` says that its generation is its day's latest.
CREATE TABLE IF NOT EXISTS counts (
    project UInt32,
    event LowCardinality(String),
    bucket DateTime('UTC') COMMENT 'start of a UTC quarter hour',
    gen UInt64,
    count UInt64
) ENGINE = MergeTree
PARTITION BY toYYYYMM(bucket)
ORDER BY (project, event, bucket, gen)
SETTINGS index_granularity = 256
