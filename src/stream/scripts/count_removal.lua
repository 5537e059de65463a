#!lua flags=allow-oom
-- Writes down how many rows a removal takes from the shard; a number that is there already wins. While workers are
-- paused no new removal begins.
-- KEYS 1 st  2 removal  3 pause   ARGV 1 epoch  2 removal  3 rows
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return {'FENCED', 0} end
local rows = redis.call('HGET', KEYS[2], ARGV[2] .. ':rows')
if not rows then
  if redis.call('EXISTS', KEYS[3]) == 1 then return {'PAUSED', 0} end
  rows = ARGV[3]
  redis.call('HSET', KEYS[1], 'removing', ARGV[2])
end
-- Written again where it is there: replicas confirm what this connection wrote last.
redis.call('HSET', KEYS[2], ARGV[2] .. ':rows', rows)
return {'OK', tonumber(rows)}
