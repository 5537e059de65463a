#!lua flags=allow-oom
-- Begins a new incarnation of a shard: batches are numbered anew, counters say what the tables and the stream hold.
-- A removal that is under way has deleted nobody knows how many of the rows that it wrote down: its number goes,
-- and its owner counts anew what is left.
-- KEYS 1 st  2 pend  3 dlq  4 removal
-- ARGV 1 epoch  2 incarnation  3 rows in the tables  4 rows in the stream  5.. pairs: field of pend, rows
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 'FENCED' end
local function counter(name) return tonumber(redis.call('HGET', KEYS[1], name) or '0') end
redis.call('HDEL', KEYS[1], 'p_seq', 'p_to', 'p_n', 'p_v', 'p_k', 'p_try', 'split')
local out = tonumber(ARGV[3]) + counter('rows_removed')
local dead = redis.call('XLEN', KEYS[3])
local taken = out + dead + counter('rows_discarded') + tonumber(ARGV[4])
redis.call('HSET', KEYS[1], 'incarnation', ARGV[2], 'seq', 0, 'done', '0-0',
  'rows_out', string.format('%d', out), 'rows_dead', dead, 'rows_in', string.format('%d', taken))
redis.call('HDEL', KEYS[1], 'removing')
for _, field in ipairs(redis.call('HKEYS', KEYS[4])) do
  local id = string.match(field, '^(.+):rows$')
  if id and redis.call('HEXISTS', KEYS[4], id .. ':done') == 0 then redis.call('HDEL', KEYS[4], field) end
end
redis.call('DEL', KEYS[2])
for i = 5, #ARGV, 2 do redis.call('HINCRBY', KEYS[2], ARGV[i], ARGV[i + 1]) end
return 'OK'
