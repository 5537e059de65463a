#!lua flags=allow-oom
-- Clears the list of projects whose counters were raised, unless a later commit wrote another list.
-- KEYS 1 st   ARGV 1 epoch  2 list
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 'FENCED' end
if redis.call('HGET', KEYS[1], 'announce') == ARGV[2] then redis.call('HDEL', KEYS[1], 'announce') end
return 'OK'
