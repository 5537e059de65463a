-- Whose the events of an actor are, of actors that are not simply persons of their own. One row each: `person` up to the
-- instant `split` (UTC milliseconds; the largest number for most), the actor's fresh person from then on. A row that
-- says nothing (its own person, no split) takes an earlier one back.
CREATE TABLE IF NOT EXISTS person_map (
    project UInt32,
    actor UInt64,
    person UInt64,
    split Int64,
    version UInt64 COMMENT 'UTC milliseconds when it was learned, and one more than any before'
) ENGINE = ReplacingMergeTree(version)
ORDER BY (project, actor)
