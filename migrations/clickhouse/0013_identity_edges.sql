-- Which user was seen on which device, and when first. A set: a batch inserts its pairs, and again when in doubt; of
-- several rows of a pair the earliest stays.
CREATE TABLE IF NOT EXISTS identity_edges (
    project UInt32,
    device String CODEC(ZSTD(1)),
    user String CODEC(ZSTD(1)),
    ts DateTime64(3, 'UTC'),
    earliness UInt64 COMMENT 'falls as ts grows, so that the earliest row replaces the others',
    INDEX user_bf user TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = ReplacingMergeTree(earliness)
ORDER BY (project, device, user)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 100000
