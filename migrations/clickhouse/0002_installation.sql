-- Numbers that must stay the same for the life of an installation (shards) or only grow (incarnation).
CREATE TABLE IF NOT EXISTS installation (
    name LowCardinality(String),
    value UInt64,
    recorded_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
) ENGINE = MergeTree ORDER BY (name, recorded_at)
