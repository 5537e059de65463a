#!lua flags=allow-oom
-- Begins a pause, or prolongs one's own. A pause that ran out is over: a batch may have begun since.
-- KEYS 1 pause   ARGV 1 owner  2 ttl ms  3 '1' to prolong
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return 0 end
if ARGV[3] == '1' and not held then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
