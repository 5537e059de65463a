#!lua flags=allow-oom
-- Ends a batch in one step: done, plan away, entries trimmed, dead rows kept, counted, to be announced.
-- KEYS 1 st  2 ev  3 dlq  4 pend  5 dead
-- ARGV 1 epoch  2 seq  3 rows stored  4 projects to announce (comma-separated)  5 most letters  6 dead rows
--      7.. for each dead row: batch, code, message, packed row, source, receipt, project (as in dead)
--      then pairs: field of pend, rows that no longer wait
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 'FENCED' end
if redis.call('HGET', KEYS[1], 'p_seq') ~= ARGV[2] then return 'STALE' end
local dead = tonumber(ARGV[6])
if dead > 0 and redis.call('XLEN', KEYS[3]) + dead > tonumber(ARGV[5]) then return 'FULL' end
local to = redis.call('HGET', KEYS[1], 'p_to')
redis.call('HSET', KEYS[1], 'seq', ARGV[2], 'done', to)
redis.call('HDEL', KEYS[1], 'p_seq', 'p_to', 'p_n', 'p_v', 'p_k', 'p_try', 'split')
local ms, n = string.match(to, '^(%d+)-(%d+)$')
redis.call('XTRIM', KEYS[2], 'MINID', '=', ms .. '-' .. string.format('%d', tonumber(n) + 1))
for i = 7, 6 + 7 * dead, 7 do
  local letter = redis.call('XADD', KEYS[3], '*', 'batch', ARGV[i], 'code', ARGV[i + 1], 'message', ARGV[i + 2],
    'p', ARGV[i + 3], 's', ARGV[i + 4], 't', ARGV[i + 5])
  local at, nth = string.match(letter, '^(%d+)-(%d+)$')
  redis.call('ZADD', KEYS[5], 0, ARGV[i + 6] .. ':' .. string.format('%015.0f-%010.0f', tonumber(at), tonumber(nth)))
end
for i = 7 + 7 * dead, #ARGV, 2 do
  local left = redis.call('HINCRBY', KEYS[4], ARGV[i], '-' .. ARGV[i + 1])
  if left == 0 then redis.call('HDEL', KEYS[4], ARGV[i]) end
end
redis.call('HINCRBY', KEYS[1], 'rows_out', ARGV[3])
if dead > 0 then redis.call('HINCRBY', KEYS[1], 'rows_dead', dead) end
if ARGV[4] ~= '' then
  local list = redis.call('HGET', KEYS[1], 'announce')
  if list then list = list .. ',' .. ARGV[4] else list = ARGV[4] end
  redis.call('HSET', KEYS[1], 'announce', list)
end
return 'OK'
