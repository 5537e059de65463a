-- What servers said about pairs of ids: never changed, so that it tells who joined whom, and when.
CREATE TABLE IF NOT EXISTS identity_rulings (
    project UInt32,
    kind Enum8('device' = 1, 'users' = 2) COMMENT 'device: one is a device, other a user; users: both are, the smaller first',
    one String CODEC(ZSTD(1)),
    other String CODEC(ZSTD(1)),
    verdict Enum8('join' = 1, 'part' = 2),
    at DateTime64(3, 'UTC'),
    by String COMMENT 'who said it: a user of Footfall or a key'
) ENGINE = MergeTree
ORDER BY (project, one, other, at)
SETTINGS index_granularity = 1024
