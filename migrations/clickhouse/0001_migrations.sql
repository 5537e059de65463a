-- What ran here: file, checksum, time. Read and written by `store::migrate`.
CREATE TABLE IF NOT EXISTS migrations (
    version UInt32,
    name String,
    checksum String,
    applied_at DateTime('UTC') DEFAULT now('UTC')
) ENGINE = MergeTree ORDER BY version
