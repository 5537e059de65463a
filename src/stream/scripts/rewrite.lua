#!lua flags=allow-oom
-- Replaces an entry by one at the stream's end that holds some of its rows only, or takes it away.
-- KEYS 1 st  2 ev   ARGV 1 epoch  2 entry  3 rows (0: take away)  4 packed rows  5 unpacked bytes
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 'FENCED' end
local found = redis.call('XRANGE', KEYS[2], ARGV[2], ARGV[2])
if not found[1] then return 'OK' end
redis.call('XDEL', KEYS[2], ARGV[2])
if ARGV[3] == '0' then return 'OK' end
local fields = {'n', ARGV[3], 'p', ARGV[4], 'd', '', 'b', ARGV[5]}
local old = found[1][2]
for i = 1, #old, 2 do
  if old[i] == 't' or old[i] == 's' or old[i] == 'z' then
    fields[#fields + 1] = old[i]
    fields[#fields + 1] = old[i + 1]
  end
end
redis.call('XADD', KEYS[2], '*', unpack(fields))
return 'OK'
