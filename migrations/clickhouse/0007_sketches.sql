-- Compacted sketches, fat rows: small granules so that a month of days reads a month of days.
CREATE TABLE IF NOT EXISTS sketches (
    project UInt32,
    event LowCardinality(String),
    day Date COMMENT 'local day',
    gen UInt64,
    sketch String CODEC(NONE)
) ENGINE = MergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (project, event, day, gen)
SETTINGS index_granularity = 32, min_compress_block_size = 4096, max_compress_block_size = 65536
