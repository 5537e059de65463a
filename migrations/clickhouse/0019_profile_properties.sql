-- What decides a property of an actor or a group, but for what is added to it. `latest` and `earliest` are a write: the
-- place of its event (8 bytes of time, 16 of id, sorting like (ts, id)), one byte for the kind of value, its canonical
-- text. The place in `earliest` is inverted, so that the greatest of all is the first of them. '' is no write.
CREATE TABLE IF NOT EXISTS profile_properties (
    project UInt32,
    kind LowCardinality(String) COMMENT 'type of a group; empty for persons',
    name String COMMENT 'of the property' CODEC(ZSTD(1)),
    owner UInt64 COMMENT 'actor, or xxh3 of the group''s key',
    latest SimpleAggregateFunction(max, String) COMMENT 'set' CODEC(ZSTD(1)),
    earliest SimpleAggregateFunction(max, String) COMMENT 'set_once' CODEC(ZSTD(1)),
    cleared SimpleAggregateFunction(max, String) COMMENT 'place of the last unset' CODEC(ZSTD(1))
) ENGINE = AggregatingMergeTree
ORDER BY (project, kind, name, owner)
SETTINGS non_replicated_deduplication_window = 100000
