#!lua flags=allow-oom
-- Remove a claimed session, unless its end was moved meanwhile.
-- KEYS[1] ends, sorted set: session -> its end, or the end of a claim, ms since 1970
-- ARGV[1] session · [2] end of the claim
-- Reply: 1 removed, 0 not
if redis.call('ZSCORE', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
return redis.call('ZREM', KEYS[1], ARGV[1])
