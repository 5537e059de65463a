-- The switch: one row makes a generation of a cohort's members valid. They stay, as the cohort's size over time.
CREATE TABLE IF NOT EXISTS cohort_sizes (
    project UInt32,
    cohort UUID,
    generation UInt64,
    computed_at DateTime64(3, 'UTC'),
    size UInt64
) ENGINE = ReplacingMergeTree
ORDER BY (project, cohort, generation)
SETTINGS index_granularity = 256
