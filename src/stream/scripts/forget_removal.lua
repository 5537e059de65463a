#!lua flags=allow-oom
-- Forgets a removal that was carried out. One that waits or runs stays: a worker that was frozen must not take the
-- number away that its owner wrote down.
-- KEYS 1 removal   ARGV 1 removal
if redis.call('HEXISTS', KEYS[1], ARGV[1] .. ':done') == 0 then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1], ARGV[1] .. ':rows', ARGV[1] .. ':done')
