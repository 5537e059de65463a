#!lua flags=no-writes
-- A shard's counters, the receipt time of its first uncommitted row, which projects' commits are not announced
-- yet, and how often the shard was begun anew: seen at one moment.
-- KEYS 1 st  2 ev
local c = redis.call('HMGET', KEYS[1], 'rows_in', 'rows_out', 'rows_dead', 'rows_dup', 'rows_removed', 'rows_discarded', 'done', 'announce',
  'incarnation')
local first = redis.call('XRANGE', KEYS[2], '(' .. (c[7] or '0-0'), '+', 'COUNT', 1)
local received = ''
if first[1] then
  local fields = first[1][2]
  for i = 1, #fields, 2 do
    if fields[i] == 't' then received = fields[i + 1] end
  end
end
return {c[1] or '0', c[2] or '0', c[3] or '0', c[4] or '0', c[5] or '0', c[6] or '0', received, c[8] or '', c[9] or '1'}
