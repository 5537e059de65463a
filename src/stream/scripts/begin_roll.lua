#!lua flags=allow-oom
-- Notes that a roller is about to write, by Redis's own clock, unless workers are paused. One that writes already
-- prolongs its note under a pause too: the pause waits for it. A note that ran out is none.
-- KEYS 1 rolling  2 pause of rollers   ARGV 1 owner  2 ttl ms  3 '1' to prolong
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
if redis.call('EXISTS', KEYS[2]) == 1 then
  local until_ms = ARGV[3] == '1' and redis.call('ZSCORE', KEYS[1], ARGV[1])
  if not until_ms or tonumber(until_ms) < now then return 0 end
end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
return 1
