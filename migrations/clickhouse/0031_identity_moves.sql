-- Actors whose events of a local day belong to somebody else than the day's sketches say, until the day is made anew: that
-- is a row of actor 0, which settles those of earlier versions. Rows are of no use once all of a day are settled.
CREATE TABLE IF NOT EXISTS identity_moves (
    project UInt32,
    day Date COMMENT 'local day at capture',
    actor UInt64,
    version UInt64 COMMENT 'UTC milliseconds, as in person_map'
) ENGINE = MergeTree
PARTITION BY toYYYYMM(toDateTime(intDiv(version, 1000)))
ORDER BY (project, day, actor)
TTL toDateTime(intDiv(version, 1000)) + INTERVAL 90 DAY
SETTINGS index_granularity = 1024
