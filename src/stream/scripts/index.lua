#!lua flags=allow-oom
-- Brings the index of dead letters in line with them: whatever is there is in it, whatever is gone is not.
-- KEYS 1 dlq  2 dead   ARGV pairs: letter, its member of dead
for i = 1, #ARGV, 2 do
  if redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])[1] then
    redis.call('ZADD', KEYS[2], 0, ARGV[i + 1])
  else
    redis.call('ZREM', KEYS[2], ARGV[i + 1])
  end
end
return 'OK'
