-- Merges read all columns at once up to five million rows. Column by column, the default from 131,072 rows on, a
-- merge of this table costs half as much CPU again; its memory only matters for larger parts.
ALTER TABLE events MODIFY SETTING vertical_merge_algorithm_min_rows_to_activate = 5000000
