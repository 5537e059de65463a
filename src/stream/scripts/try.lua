#!lua flags=allow-oom
-- Raises the attempt of a planned batch, before anything of the earlier ones is deleted.
-- KEYS 1 st   ARGV 1 epoch  2 seq
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return {'FENCED', 0} end
if redis.call('HGET', KEYS[1], 'p_seq') ~= ARGV[2] then return {'STALE', 0} end
return {'OK', redis.call('HINCRBY', KEYS[1], 'p_try', 1)}
