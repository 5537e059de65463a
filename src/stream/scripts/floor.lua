#!lua flags=allow-oom
-- Lifts a counter to a floor; one above it stays.
-- KEYS 1 counter   ARGV 1 floor
if tonumber(redis.call('GET', KEYS[1]) or '0') < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end
return 'OK'
