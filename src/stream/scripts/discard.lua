#!lua flags=allow-oom
-- Takes dead letters away and counts them as discarded.
-- KEYS 1 st  2 dlq   ARGV 1.. letters
local gone = 0
for i = 1, #ARGV do gone = gone + redis.call('XDEL', KEYS[2], ARGV[i]) end
if gone > 0 then
  redis.call('HINCRBY', KEYS[1], 'rows_dead', -gone)
  redis.call('HINCRBY', KEYS[1], 'rows_discarded', gone)
end
return gone
