#!lua flags=allow-oom
-- Puts a dead letter back into the stream: one step, so that it always is in exactly one of the two. Needs
-- about the memory that it frees.
-- KEYS 1 st  2 ev  3 dlq  4 dead  5 pend  6 idem
-- ARGV 1 letter  2 its member of dead  3 seconds that idem lives  4 unpacked bytes  5 receipt  6 source
--      7 field of pend  8 version of the tombstones that were looked at
if redis.call('EXISTS', KEYS[6]) == 1 then return 'OK' end
if tonumber(redis.call('HGET', KEYS[1], 'tombstones') or '0') > tonumber(ARGV[8]) then return 'BEHIND' end
local letter = redis.call('XRANGE', KEYS[3], ARGV[1], ARGV[1])
if not letter[1] then return 'GONE' end
local packed
for i = 1, #letter[1][2], 2 do
  if letter[1][2][i] == 'p' then packed = letter[1][2][i + 1] end
end
-- No number of dropped rows: the event-id window knows the row from its first time.
local entry = redis.call('XADD', KEYS[2], '*', 'n', 1, 'p', packed, 'd', '', 'b', ARGV[4], 't', ARGV[5], 's', ARGV[6], 'z', 1)
redis.call('SET', KEYS[6], entry, 'EX', ARGV[3])
redis.call('XDEL', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[2])
redis.call('HINCRBY', KEYS[1], 'rows_dead', -1)
redis.call('HINCRBY', KEYS[5], ARGV[7], 1)
return 'OK'
