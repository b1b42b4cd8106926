#!lua
-- Renew a node's lease, or take it when it is not held; leases of other nodes that ended are removed.
-- KEYS[1] leases, sorted set: node id -> end, ms since 1970 · KEYS[2] records, hash: node id -> JSON
-- ARGV[1] node id · [2] duration, ms · [3] record
-- Reply: 1 renewed, 0 taken, because it was not held
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, ended in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))) do
  redis.call('ZREM', KEYS[1], ended)
  redis.call('HDEL', KEYS[2], ended)
end
local held = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], string.format('%.0f', now + tonumber(ARGV[2])), ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
return held and 1 or 0
