#!lua
-- Note a fact in the record of a session that has one.
-- KEYS[1] record · ARGV[1] field · [2] value
-- Reply: 1 noted · 0 the session has none
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
