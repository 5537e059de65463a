#!lua flags=allow-oom
-- Writes the boundary of the next batch down; one that is already written down wins and is returned. While
-- workers are paused no new one is. A Redis that was restored from an older copy while the owner ran on would give
-- numbers that were used already: nothing is written then.
-- KEYS 1 st  2 pause   ARGV 1 epoch  2 last entry  3 rows  4 encoder version  5 target  6 last batch its owner committed
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return {'FENCED'} end
local seq = redis.call('HGET', KEYS[1], 'seq') or '0'
if seq ~= ARGV[6] then return {'REWOUND', seq} end
if redis.call('HEXISTS', KEYS[1], 'p_seq') == 0 then
  if redis.call('EXISTS', KEYS[2]) == 1 then return {'PAUSED'} end
  redis.call('HSET', KEYS[1], 'p_seq', string.format('%d', tonumber(seq) + 1), 'p_to', ARGV[2], 'p_n', ARGV[3],
    'p_v', ARGV[4], 'p_k', ARGV[5], 'p_try', 0)
else
  -- Written again as it is: replicas confirm what this connection wrote last, and the first time may have been
  -- through another one.
  redis.call('HSET', KEYS[1], 'p_seq', redis.call('HGET', KEYS[1], 'p_seq'))
end
local plan = redis.call('HMGET', KEYS[1], 'p_seq', 'p_to', 'p_n', 'p_v', 'p_k', 'p_try', 'split')
return {'PLANNED', unpack(plan, 1, 7)}
