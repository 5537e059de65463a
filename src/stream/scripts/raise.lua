#!lua flags=allow-oom
-- Raises a counter and answers it; a plain INCR is refused at maxmemory, and draining must go on there.
-- KEYS 1 counter
return redis.call('INCR', KEYS[1])
