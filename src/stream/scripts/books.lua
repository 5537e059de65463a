#!lua flags=no-writes
-- Everything that a shard counts, and what there is to count, seen at one moment.
-- KEYS 1 st  2 ev  3 dlq  4 dead  5 pend   ARGV 1 most entries, and most fields of pend, that are counted
local c = redis.call('HMGET', KEYS[1], 'incarnation', 'seq', 'p_seq',
  'rows_in', 'rows_out', 'rows_dead', 'rows_discarded', 'rows_removed')
for i = 1, #c do c[i] = c[i] or '0' end
c[#c + 1] = tostring(redis.call('HEXISTS', KEYS[1], 'removing'))
local most = tonumber(ARGV[1])
-- -1: more than are counted. Rows of entries without a source are not noted in pend.
local waiting, noted, pending = -1, -1, -1
if redis.call('XLEN', KEYS[2]) <= most then
  waiting, noted = 0, 0
  local from = '-'
  repeat
    local entries = redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', 50)
    for _, entry in ipairs(entries) do
      local n, d, s = 0, '', false
      for i = 1, #entry[2], 2 do
        local name, value = entry[2][i], entry[2][i + 1]
        if name == 'n' then n = tonumber(value) elseif name == 'd' then d = value elseif name == 's' then s = true end
      end
      if d ~= '' then
        local _, commas = string.gsub(d, ',', '')
        n = n - commas - 1
      end
      waiting = waiting + n
      if s then noted = noted + n end
      from = '(' .. entry[1]
    end
  until #entries < 50
end
if redis.call('HLEN', KEYS[5]) <= most then
  pending = 0
  for _, rows in ipairs(redis.call('HVALS', KEYS[5])) do pending = pending + tonumber(rows) end
end
return {c, redis.call('XLEN', KEYS[3]), redis.call('ZCARD', KEYS[4]), waiting, noted, pending}
