#!lua flags=allow-oom
-- Gives a dead letter up. An entry without rows tells the ledger.
-- KEYS 1 st  2 ev  3 dlq  4 dead
-- ARGV 1 letter  2 its member of dead  3 no rows, packed  4 their unpacked bytes  5 receipt  6 source  7 notes
if redis.call('XDEL', KEYS[3], ARGV[1]) == 0 then return 'GONE' end
redis.call('ZREM', KEYS[4], ARGV[2])
redis.call('HINCRBY', KEYS[1], 'rows_dead', -1)
redis.call('HINCRBY', KEYS[1], 'rows_discarded', 1)
redis.call('XADD', KEYS[2], '*', 'n', 0, 'p', ARGV[3], 'd', '', 'b', ARGV[4], 't', ARGV[5], 's', ARGV[6], 'l', ARGV[7])
return 'OK'
