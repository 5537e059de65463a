#!lua flags=allow-oom
-- Ends a pause, or a turn, if it is still the caller's.
-- KEYS 1 pause or turn   ARGV 1 owner
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
