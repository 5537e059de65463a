#!lua flags=allow-oom
-- Ends a removal in the shard: what was written down counts as removed, once. The mark that rows are being removed
-- goes in any case, or no backup would ever find the shard at rest.
-- KEYS 1 st  2 removal   ARGV 1 epoch  2 removal
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 'FENCED' end
local rows = redis.call('HGET', KEYS[2], ARGV[2] .. ':rows')
if rows and redis.call('HSETNX', KEYS[2], ARGV[2] .. ':done', rows) == 1 then
  redis.call('HINCRBY', KEYS[1], 'rows_removed', rows)
end
redis.call('HDEL', KEYS[1], 'removing')
return 'OK'
