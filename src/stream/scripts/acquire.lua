#!lua flags=allow-oom
-- Takes the lease of a shard unless somebody else holds it; a new epoch fences every earlier owner.
-- KEYS 1 lease  2 st   ARGV 1 owner  2 ttl ms
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, #ARGV[1] + 1) ~= ARGV[1] .. ':' then return {'HELD'} end
local epoch = redis.call('HINCRBY', KEYS[2], 'epoch', 1)
redis.call('HSETNX', KEYS[2], 'incarnation', 1)
redis.call('SET', KEYS[1], ARGV[1] .. ':' .. epoch, 'PX', ARGV[2])
local state = redis.call('HMGET', KEYS[2], 'incarnation', 'seq', 'done', 'announce',
  'p_seq', 'p_to', 'p_n', 'p_v', 'p_k', 'p_try', 'split')
return {'OWNED', epoch, unpack(state, 1, 11)}
