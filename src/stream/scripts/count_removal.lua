#!lua flags=allow-oom
-- Writes down how many rows a removal takes from the shard; a number that is there already wins.
-- KEYS 1 st  2 removal   ARGV 1 epoch  2 removal  3 rows
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return {'FENCED', 0} end
redis.call('HSETNX', KEYS[2], ARGV[2] .. ':rows', ARGV[3])
return {'OK', tonumber(redis.call('HGET', KEYS[2], ARGV[2] .. ':rows'))}
