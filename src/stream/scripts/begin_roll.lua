#!lua flags=allow-oom
-- Notes that a roller is about to write, by Redis's own clock, unless workers are paused.
-- KEYS 1 rolling  2 pause of rollers   ARGV 1 owner  2 ttl ms
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
local t = redis.call('TIME')
redis.call('ZADD', KEYS[1], tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000) + tonumber(ARGV[2]), ARGV[1])
return 1
