#!lua flags=allow-oom
-- Remove a job, whichever node holds it.
-- KEYS[1] jobs, stream · [2] jobs that failed, sorted set
-- ARGV[1] entry id
-- Reply: 1 removed, 0 gone already
redis.call('XACK', KEYS[1], 'nodes', ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return redis.call('XDEL', KEYS[1], ARGV[1])
