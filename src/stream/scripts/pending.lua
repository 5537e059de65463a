#!lua flags=no-writes
-- A project's rows that wait in a shard, and the last committed batch, seen at one moment: what is committed
-- up to there no longer waits, what waits is not in it.
-- KEYS 1 st  2 pend   ARGV 1 project
local last = redis.call('HMGET', KEYS[1], 'incarnation', 'seq')
local prefix = ARGV[1] .. ':'
local again = 'z' .. prefix
local all, found = redis.call('HGETALL', KEYS[2]), {}
for i = 1, #all, 2 do
  if string.sub(all[i], 1, #prefix) == prefix or string.sub(all[i], 1, #again) == again then
    found[#found + 1] = all[i]
    found[#found + 1] = all[i + 1]
  end
end
return {last[1] or '1', last[2] or '0', found}
