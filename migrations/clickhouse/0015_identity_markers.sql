-- What is left of erased persons' edges: that a device had such a user, and when. The ids are salted hashes; a device's
-- name stays where the device was not the erased person's.
CREATE TABLE IF NOT EXISTS identity_markers (
    project UInt32,
    device UInt128,
    clear String CODEC(ZSTD(1)),
    user UInt128,
    ts DateTime64(3, 'UTC'),
    first UInt8 COMMENT 'whether that was the earliest user of the device',
    version UInt64
) ENGINE = ReplacingMergeTree(version)
ORDER BY (project, device, user, ts)
SETTINGS index_granularity = 1024
