#!lua flags=allow-oom
-- Prolongs a lease. One that ran out and that nobody took is still the caller's.
-- KEYS 1 lease  2 st   ARGV 1 owner  2 epoch  3 ttl ms
if redis.call('HGET', KEYS[2], 'epoch') ~= ARGV[2] then return 'FENCED' end
redis.call('SET', KEYS[1], ARGV[1] .. ':' .. ARGV[2], 'PX', ARGV[3])
return 'OK'
