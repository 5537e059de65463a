#!lua flags=allow-oom
-- Marks a planned batch as one that is inserted in pieces, because ClickHouse refused it whole.
-- KEYS 1 st   ARGV 1 epoch  2 seq
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 'FENCED' end
if redis.call('HGET', KEYS[1], 'p_seq') ~= ARGV[2] then return 'STALE' end
redis.call('HSET', KEYS[1], 'split', 1)
return 'OK'
