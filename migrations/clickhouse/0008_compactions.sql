-- The switch: one row makes generation `gen` of a day valid, with everything up to `cuts` in it.
CREATE TABLE IF NOT EXISTS compactions (
    project UInt32,
    kind Enum8('counts' = 1, 'sketches' = 2) COMMENT 'counts go by UTC day, sketches by local day',
    day Date,
    gen UInt64,
    cuts Array(UInt64) COMMENT 'cuts[shard + 1] = last batch of the shard that is included',
    compacted_at DateTime('UTC') DEFAULT now('UTC')
) ENGINE = MergeTree
ORDER BY (project, kind, day, gen)
SETTINGS index_granularity = 256
