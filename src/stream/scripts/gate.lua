#!lua flags=allow-oom
-- Raises the version of tombstones that an endpoint must know to bring events, and answers the last entry that
-- was taken before: one step, so that no entry falls between the two.
-- KEYS 1 st  2 ev   ARGV 1 version
local version = redis.call('HGET', KEYS[1], 'tombstones') or '0'
if tonumber(version) < tonumber(ARGV[1]) then version = ARGV[1] end
-- Written again where it stays: replicas confirm what this connection wrote last.
redis.call('HSET', KEYS[1], 'tombstones', version)
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
if last[1] then return last[1][1] end
return redis.call('HGET', KEYS[1], 'done') or '0-0'
