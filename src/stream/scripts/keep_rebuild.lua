#!lua flags=allow-oom
-- Keeps a claimed rebuild out of others' reach for longer, unless it was asked for again or taken by another (its score
-- moved).
-- KEYS 1 rebuild   ARGV 1 member  2 score it was claimed with  3 its new score
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if score and tonumber(score) == tonumber(ARGV[2]) then
  redis.call('ZADD', KEYS[1], 'XX', ARGV[3], ARGV[1])
  return 1
end
return 0
