#!lua flags=allow-oom
-- Gives a lease back, if it is still the caller's.
-- KEYS 1 lease   ARGV 1 owner  2 epoch
if redis.call('GET', KEYS[1]) ~= ARGV[1] .. ':' .. ARGV[2] then return 'FENCED' end
redis.call('DEL', KEYS[1])
return 'OK'
