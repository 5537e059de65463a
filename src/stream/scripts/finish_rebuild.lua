#!lua flags=allow-oom
-- Takes a rebuild off the queue, unless it was asked for again while it ran (its score moved).
-- KEYS 1 rebuild   ARGV 1 member  2 score it was claimed with
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if score and tonumber(score) == tonumber(ARGV[2]) then return redis.call('ZREM', KEYS[1], ARGV[1]) end
return 0
