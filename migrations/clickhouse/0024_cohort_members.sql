-- Who belongs to a cohort as of a generation, by the numbers that persons had at that moment. Generation 0 is not read
-- by questions: of an uploaded list it holds the ids, as actors. Inserting twice is harmless.
CREATE TABLE IF NOT EXISTS cohort_members (
    project UInt32,
    cohort UUID,
    generation UInt64,
    person UInt64
) ENGINE = ReplacingMergeTree
ORDER BY (project, cohort, generation, person)
SETTINGS index_granularity = 2048
