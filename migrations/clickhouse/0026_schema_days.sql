-- What was seen of names, by UTC day: events, the properties they carry, the properties of persons they set. A set: noting
-- the same twice is harmless. Values are not kept here. `types` are bits, those of `metrics/schema`.
CREATE TABLE IF NOT EXISTS schema_days (
    project UInt32,
    kind Enum8('event' = 0, 'property' = 1, 'person' = 2),
    event String CODEC(ZSTD(1)),
    property String COMMENT 'empty for the event itself' CODEC(ZSTD(1)),
    day Date COMMENT 'UTC day of ts',
    types SimpleAggregateFunction(groupBitOr, UInt8),
    first SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    last SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
) ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (project, kind, event, property, day)
SETTINGS index_granularity = 1024
